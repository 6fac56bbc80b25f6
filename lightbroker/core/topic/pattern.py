"""Topics and the patterns that match them: dotted names, and the wildcards of NATS.

`*` stands for one token, `>` for one or more tokens at the end.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

from lightbroker.core.errors import check_name

T = TypeVar("T")

MOST_ROUTES = 4096  #: topics whose matches are remembered


def check_topic(topic: object, *, wildcards: bool) -> tuple[str, ...]:
    """Return the tokens of a dotted topic.

    Raises:
        TypeError: It is not a string.
        ValueError: A token is empty, or there is a wildcard where none is allowed.
    """
    tokens = tuple(check_name("topic", topic).split("."))
    if "" in tokens:
        raise ValueError(f"topic must be tokens joined by single dots, not {topic!r}")
    for position, token in enumerate(tokens):
        if token in ("*", ">"):
            if not wildcards:
                raise ValueError(f"topic {topic!r} has a wildcard; publish to one plain topic")
            if token == ">" and position != len(tokens) - 1:
                raise ValueError(f"topic {topic!r}: '>' stands for the rest and can only be the last token")
    return tokens


class Patterns(Generic[T]):
    """Targets by the pattern that they listen to, in a trie of tokens."""

    def __init__(self, targets: Iterable[tuple[str, T]] = ()) -> None:
        self._trie: dict[str, Any] = {}
        for pattern, target in targets:
            node = self._trie
            for token in pattern.split("."):
                node = node.setdefault(token, {})
            node.setdefault("", []).append(target)  # no token is empty, so "" can hold the targets

    def match(self, topic: str) -> list[T]:
        """Return every target whose pattern matches `topic`.

        Raises:
            TypeError, ValueError: It is not a plain topic.
        """
        return list(self._walk(self._trie, check_topic(topic, wildcards=False)))

    def _walk(self, node: dict[str, Any], tokens: tuple[str, ...]) -> Iterator[T]:
        if not tokens:
            yield from node.get("", ())
            return
        yield from node.get(">", {}).get("", ())
        for token in (tokens[0], "*"):
            if token in node:
                yield from self._walk(node[token], tokens[1:])
