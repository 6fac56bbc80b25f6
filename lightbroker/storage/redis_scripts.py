"""The scripts of the store in Redis, and what is sent to run one. No I/O: threads and coroutines can drive the same.

Each script (`lua/*.lua`) is one transition, which Redis runs as a whole or not at all. Keys go to it as KEYS and values
as ARGV, and the keys of one queue share a hash tag, so that they are in one slot of a cluster.
"""

import functools
import hashlib
import re
from collections.abc import Iterable, Sequence
from importlib.resources import files

SCRIPTS = (
    *("open", "push", "pull", "ack", "fail", "release", "reject", "extend"),
    *("redrive", "purge", "dead", "stats", "tick"),
)
_INCLUDE = re.compile(rb"^--> (\w+)$", re.MULTILINE)
_KEYS = ("", *(f":{name}" for name in ("messages", "ready", "delayed", "leased", "dead")))
_KEYS += (":mortal", ":expiry", ":failure", ":pullers", ":pushers")
_AGAIN = 6  # where in ARGV a script is told that the reply to an earlier try was lost


def _word(word: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(word), word)


def _read(name: str) -> bytes:
    """The text of a file of `lua/`, with other files in place of the lines that name them."""
    text = (files(__package__) / "lua" / f"{name}.lua").read_bytes()
    return _INCLUDE.sub(lambda line: _read(line[1].decode()), text)


class Script:
    """One of the scripts: its text, and the digest by which Redis knows it once it has seen the text."""

    def __init__(self, name: str) -> None:
        self.text = _read(name)
        self.sha = hashlib.sha1(self.text, usedforsecurity=False).hexdigest().encode()


_script = functools.cache(Script)


class Request:
    """One run of a script, to be sent. `again`: it was sent before, and the reply was lost."""

    __slots__ = ("_arguments", "_bound", "_extra", "again")

    def __init__(self, bound: "BoundScript", extra: tuple[bytes, ...], arguments: Sequence[bytes]) -> None:
        self._bound, self._extra, self._arguments = bound, extra, arguments
        self.again = False

    def words(self, *, by_text: bool = False) -> list[bytes]:
        """The command; with the text of the script instead of its digest for a server that does not know it."""
        bound = self._bound
        keys = (*bound.keys, *self._extra)
        name = (b"EVAL", bound.script.text) if by_text else (b"EVALSHA", bound.script.sha)
        again = b"1" if self.again else b""
        return [*name, b"%d" % len(keys), *keys, *bound.fixed, again, *self._arguments]

    def wire(self) -> bytes:
        """The command as Redis reads it, with the digest."""
        bound = self._bound
        return b"".join(
            (
                b"*%d\r\n" % (bound.length + len(self._extra) + len(self._arguments)),
                bound.packed_keys,
                *map(_word, self._extra),
                bound.packed_fixed,
                b"$1\r\n1\r\n" if self.again else b"$0\r\n\r\n",
                *map(_word, self._arguments),
            )
        )


class BoundScript:
    """A script with the keys and the first arguments that are the same in each run of it."""

    def __init__(self, name: str, keys: tuple[bytes, ...], fixed: tuple[bytes, ...], extra: int) -> None:
        self.script = _script(name)
        self.keys, self.fixed = keys, fixed
        self.length = 3 + len(keys) + _AGAIN + 1
        self.packed_keys = b"".join(map(_word, (b"EVALSHA", self.script.sha, b"%d" % (len(keys) + extra), *keys)))
        self.packed_fixed = b"".join(map(_word, fixed))


class QueueScripts:
    """The scripts of one queue. fixed: the arguments that `head.lua` expects in all of them."""

    def __init__(self, tag: str, fixed: Iterable[bytes]) -> None:
        self.tag = tag
        keys, fixed = tuple(f"{tag}{name}".encode() for name in _KEYS), tuple(fixed)
        self._bound = {name: BoundScript(name, keys, fixed, extra=name == "push") for name in SCRIPTS}

    def request(self, name: str, *arguments: bytes, extra: tuple[bytes, ...] = ()) -> Request:
        """A run of the script `name`; `extra` keys come behind those that all scripts have."""
        return Request(self._bound[name], extra, arguments)
