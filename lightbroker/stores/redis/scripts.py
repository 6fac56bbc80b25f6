"""The scripts of the store in Redis, and what is sent to run one. Nothing here does I/O.

Each script (`lua/*.lua`) is one transition, which Redis runs as a whole or not at all. Keys go to it as KEYS and values
as ARGV, and the keys of one queue share a hash tag, so that they are in one slot of a cluster. `lua/schema.lua` says
what each key holds.
"""

import functools
import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files

SCRIPTS = (
    *("open", "push", "pull", "ack", "fail", "release", "reject", "extend"),
    *("redrive", "purge", "dead", "oldest_ready", "stats", "tick"),
)
TOPIC_SCRIPTS = ("topic_join", "topic_bind", "topic_publish")
_KEYS = ("messages", "ready", "delayed", "leased", "dead", "mortal", "expiry", "failure", "pullers", "pushers")
_DIRECTIVE = re.compile(rb"^--> (\w+)(.*)$", re.MULTILINE)
_COMMENT = re.compile(rb"^ *--.*\n", re.MULTILINE)  # whole lines only: there is no such text within a string


def _word(word: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(word), word)


def _locals(names: Sequence[str], values: Sequence[str]) -> str:
    return f"local {', '.join(names)} = {', '.join(values)}"


class Script:
    """One of the scripts: its text, and the digest by which Redis knows it once it has seen the text.

    A line of a file in `lua/` that begins with `-->` is a directive, which is replaced when the file is read:

        --> keys …          names for KEYS, in order; further keys are nameless
        --> options …       names for the first of ARGV, those that are the same in each call for a queue
        --> arguments …     names for the next of ARGV, this call's own. The first is always `again`: whether the call
                            was sent before and its reply was lost. Further arguments are nameless: they stand behind
                            ARGV[REST]
        --> name            the text of `name.lua`

    Comments are left out of the text, so that they cost no bandwidth.
    """

    def __init__(self, name: str) -> None:
        self.keys: list[str] = []
        self.options: list[str] = []
        self.text = self._read(name)
        self.sha = hashlib.sha1(self.text, usedforsecurity=False).hexdigest().encode()

    def _read(self, name: str) -> bytes:
        text = (files(__package__) / "lua" / f"{name}.lua").read_bytes()
        return _COMMENT.sub(b"", _DIRECTIVE.sub(self._replace, text))

    def _replace(self, directive: re.Match[bytes]) -> bytes:
        what, names = directive[1].decode(), directive[2].decode().split()
        if what == "keys":
            self.keys = names
            return _locals(names, [f"KEYS[{place}]" for place in range(1, len(names) + 1)]).encode()
        if what == "options":
            self.options = names
            return _locals(names, [f"ARGV[{place}]" for place in range(1, len(names) + 1)]).encode()
        if what == "arguments":
            first = len(self.options) + 1
            rest = len(self.options) + len(names)
            again, *values = (f"ARGV[{place}]" for place in range(first, rest + 1))
            return _locals([*names, "REST"], [f"{again} == '1'", *values, str(rest)]).encode()
        return self._read(what)


_script = functools.cache(Script)


class BoundScript:
    """A script with the keys and the options that are the same in each call of it. A call may add keys behind them."""

    def __init__(self, name: str, keys: Mapping[str, bytes], options: Mapping[str, bytes]) -> None:
        self.script = _script(name)
        self.keys = [keys[key] for key in self.script.keys if key in keys]
        self.options = [options[option] for option in self.script.options]
        self.packed_name = _word(b"EVALSHA") + _word(self.script.sha)
        self.packed_keys = b"".join(map(_word, self.keys))
        self.packed_options = b"".join(map(_word, self.options))


class ScriptCall:
    """One call of a script, to be sent. `again`: it was sent before, and the reply was lost."""

    __slots__ = ("_arguments", "_bound", "_more_keys", "again")

    def __init__(self, bound: BoundScript, more_keys: Sequence[bytes], arguments: Sequence[bytes]) -> None:
        self._bound, self._more_keys, self._arguments = bound, more_keys, arguments
        self.again = False

    def words(self, *, by_text: bool = False) -> list[bytes]:
        """Return the command as words.

        Args:
            by_text: Whether to send the text of the script instead of its digest, for a server that does not know it.
        """
        bound = self._bound
        keys = (*bound.keys, *self._more_keys)
        name = (b"EVAL", bound.script.text) if by_text else (b"EVALSHA", bound.script.sha)
        again = b"1" if self.again else b""
        return [*name, b"%d" % len(keys), *keys, *bound.options, again, *self._arguments]

    def packed(self, *, by_text: bool = False) -> bytes:
        """Return the command as bytes that Redis reads; see `words`."""
        if by_text:
            words = self.words(by_text=True)
            return b"*%d\r\n%b" % (len(words), b"".join(map(_word, words)))
        bound = self._bound
        keys = len(bound.keys) + len(self._more_keys)
        return b"".join(
            (
                b"*%d\r\n" % (4 + keys + len(bound.options) + len(self._arguments)),
                bound.packed_name,
                _word(b"%d" % keys),
                bound.packed_keys,
                *map(_word, self._more_keys),
                bound.packed_options,
                b"$1\r\n1\r\n" if self.again else b"$0\r\n\r\n",
                *map(_word, self._arguments),
            )
        )


class QueueScripts:
    """The scripts of one queue.

    Args:
        tag: The hash tag with which each of its keys begins.
        options: What the scripts are told in each call, by name.
    """

    def __init__(self, tag: str, options: Mapping[str, bytes]) -> None:
        keys = {name: f"{tag}:{name}".encode() for name in _KEYS} | {"meta": tag.encode()}
        self._bound = {name: BoundScript(name, keys, options) for name in SCRIPTS}

    def call(self, name: str, *arguments: bytes, more_keys: Sequence[bytes] = ()) -> ScriptCall:
        """Return a call of the script `name`; `more_keys` come behind those that are the same in each call."""
        return ScriptCall(self._bound[name], more_keys, arguments)
