"""Who listens to what, as Redis keeps it for the topics of a broker. Nothing here does I/O."""

import json
from typing import Any, NamedTuple

from lightbroker.core.policy import QueueOptions
from lightbroker.core.topic.pattern import MOST_ROUTES, Patterns


def subscription_entry(pattern: str, group: str | None) -> bytes:
    """Return the entry of the subscribers to a pattern, or of the members of a group on it."""
    return _entry("all", pattern) if group is None else _entry("group", pattern, group)


def binding_entry(pattern: str, queue: str) -> bytes:
    """Return the entry of a queue that is bound to a pattern."""
    return _entry("bind", pattern, queue)


def _entry(*words: str) -> bytes:
    return json.dumps(words).encode()


def read_group(entry: bytes) -> tuple[str, str] | None:
    """Return pattern and name of the group whose entry it is, None if it is of no group."""
    words = json.loads(entry)
    return (words[1], words[2]) if words[0] == "group" else None


class Route(NamedTuple):
    """What matches a topic."""

    plain: tuple[bytes, ...]  #: entries of subscribers in no group
    groups: tuple[bytes, ...]
    queues: tuple[tuple[str, QueueOptions], ...]  #: each once, by however many patterns it is bound


class Routes:
    """All entries of the registry as they were at `version`; made of the words that HGETALL answers."""

    def __init__(self, words: list[bytes]) -> None:
        entries = dict(zip(words[::2], words[1::2]))
        self.version = entries.pop(b"version", b"")
        self._entries = Patterns((json.loads(entry)[1], (entry, value)) for entry, value in entries.items())
        self._routes: dict[str, Route] = {}

    def find(self, topic: str) -> Route:
        """Return the route of a topic; those of topics seen lately are remembered."""
        route = self._routes.get(topic)
        if route is None:
            if len(self._routes) >= MOST_ROUTES:
                self._routes = {}
            route = self._routes[topic] = self._match(topic)
        return route

    def _match(self, topic: str) -> Route:
        found: dict[str, dict[Any, bytes]] = {"all": {}, "group": {}, "bind": {}}
        for entry, value in self._entries.match(topic):
            kind, _, *name = json.loads(entry)
            found[kind][name[0] if kind == "bind" else entry] = value
        queues = tuple((queue, QueueOptions.from_json(value.decode())) for queue, value in found["bind"].items())
        return Route(tuple(found["all"]), tuple(found["group"]), queues)
