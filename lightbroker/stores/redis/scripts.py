"""The scripts of the store in Redis, and what is sent to run one. No I/O: threads and coroutines can drive the same.

Each script (`lua/*.lua`) is one transition, which Redis runs as a whole or not at all. Keys go to it as KEYS and values
as ARGV, and the keys of one queue share a hash tag, so that they are in one slot of a cluster.
"""

import functools
import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files

SCRIPTS = (
    *("open", "push", "pull", "ack", "fail", "release", "reject", "extend"),
    *("redrive", "purge", "dead", "oldest", "stats", "tick"),
)
_KEYS = ("messages", "ready", "delayed", "leased", "dead", "mortal", "expiry", "failure", "pullers", "pushers")
_LINE = re.compile(rb"^--> (\w+)(.*)$", re.MULTILINE)


def _word(word: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(word), word)


def _names(list_: str, names: Sequence[str]) -> str:
    return f"local {', '.join(names)} = {', '.join(f'{list_}[{place}]' for place in range(1, len(names) + 1))}"


class Script:
    """One of the scripts: its text, and the digest by which Redis knows it once it has seen the text.

    In the files of `lua/`, the line `--> keys` gives names to the keys that the script is sent, `--> arguments` to its
    first arguments, and any other such line stands for the file of that name.
    """

    def __init__(self, name: str) -> None:
        self.keys: list[str] = []
        self.arguments: list[str] = []  #: those that are the same in each run for a queue
        self.text = self._read(name)
        self.sha = hashlib.sha1(self.text, usedforsecurity=False).hexdigest().encode()

    def _read(self, name: str) -> bytes:
        return _LINE.sub(self._fill, (files(__package__) / "lua" / f"{name}.lua").read_bytes())

    def _fill(self, line: re.Match[bytes]) -> bytes:
        what, names = line[1].decode(), line[2].decode().split()
        if what == "keys":
            self.keys = names
            return _names("KEYS", names).encode()
        if what == "arguments":
            self.arguments, rest = names, len(names) + 2
            again, now = f"ARGV[{rest - 1}] == '1'", f"ARGV[{rest}]"
            return f"{_names('ARGV', names)}\nlocal again, now, REST = {again}, {now}, {rest}".encode()
        return self._read(what)


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

    def wire(self, *, by_text: bool = False) -> bytes:
        """The command as Redis reads it; see `words`."""
        if by_text:
            words = self.words(by_text=True)
            return b"*%d\r\n%b" % (len(words), b"".join(map(_word, words)))
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
    """A script with the keys and the first arguments that are the same in each run of it.

    A key that is not the same in each comes last.
    """

    def __init__(self, name: str, keys: Mapping[str, bytes], arguments: Mapping[str, bytes]) -> None:
        self.script = _script(name)
        self.keys = [keys[key] for key in self.script.keys if key in keys]
        self.fixed = [arguments[argument] for argument in self.script.arguments]
        self.length = 3 + len(self.keys) + len(self.fixed) + 1
        count = b"%d" % len(self.script.keys)
        self.packed_keys = b"".join(map(_word, (b"EVALSHA", self.script.sha, count, *self.keys)))
        self.packed_fixed = b"".join(map(_word, self.fixed))


class QueueScripts:
    """The scripts of one queue, whose keys begin with `tag`. arguments: what they are told in each run, by name."""

    def __init__(self, tag: str, arguments: Mapping[str, bytes]) -> None:
        keys = {name: f"{tag}:{name}".encode() for name in _KEYS} | {"meta": tag.encode()}
        self._bound = {name: BoundScript(name, keys, arguments) for name in SCRIPTS}

    def request(self, name: str, *arguments: bytes, extra: tuple[bytes, ...] = ()) -> Request:
        """A run of the script `name`; `extra` keys come behind those that are the same in each run."""
        return Request(self._bound[name], extra, arguments)
