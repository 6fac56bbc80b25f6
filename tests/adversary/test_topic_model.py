"""Topics against their model, and the proof that the comparison sees wrong ones."""

from collections.abc import Iterator
from typing import Any

import pytest

from lightbroker import BrokerError, Subscription
from lightbroker.policy import QueueOptions
from lightbroker.topic import Topics
from tests.adversary.topic_model import run

EXAMPLES, STEPS = 300, 30


def test_topics_do_what_the_model_does() -> None:
    outcomes = run(EXAMPLES, STEPS)["outcomes"]
    for outcome in ("publish: some", "get: a message", "get: QueueEmpty", "get: QueueClosed", "work"):
        assert outcomes[outcome] > 50
    for outcome in ("subscribe: joined", "subscribe: ValueError", "leave: first", "leave: last"):
        assert outcomes[outcome] > 10


class RestMayBeEmpty(Topics):
    def _match(self, node: dict[str, Any], tokens: tuple[str, ...]) -> Iterator[Any]:
        if not tokens:
            yield from node.get(">", {}).get("", ())
        yield from super()._match(node, tokens)


class OneCopyForEachBinding(Topics):
    def _route(self, topic: str) -> tuple[Any, Any]:
        buffers, _ = super()._route(topic)
        matching = self._match(self._trie, tuple(topic.split(".")))
        self._routes[topic] = buffers, tuple(target for target in matching if target in self._bound.values())
        return self._routes[topic]


class GroupsIgnoreTheirPattern(Topics):
    def subscribe(self, pattern: str, group: str | None, options: QueueOptions) -> Subscription:
        groups = [key for key in self._groups if group is not None and key[1] == group]
        return super().subscribe(groups[0][0] if groups else pattern, group, options)


class RemembersWhoWasThere(Topics):
    def _changed(self) -> None:
        routes = self._routes
        super()._changed()
        self._routes = routes


@pytest.mark.parametrize(
    "wrong", [RestMayBeEmpty, OneCopyForEachBinding, GroupsIgnoreTheirPattern, RemembersWhoWasThere]
)
def test_the_comparison_sees_wrong_topics(wrong: type[Topics], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightbroker.broker.Topics", wrong)
    with pytest.raises((AssertionError, ValueError, BrokerError)):
        run(EXAMPLES, STEPS, shrink=False)
