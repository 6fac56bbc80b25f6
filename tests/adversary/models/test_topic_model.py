"""Topics against their model, and the proof that the comparison sees wrong ones."""

from typing import Any

import pytest

from lightbroker import BrokerError, Subscription
from lightbroker.core.policy import QueueOptions
from lightbroker.core.queue import Queue
from lightbroker.core.topic.topics import Topics, _Group
from tests.adversary.models.topic_model import run

EXAMPLES, STEPS = 300, 30


def test_topics_do_what_the_model_does() -> None:
    outcomes = run(EXAMPLES, STEPS)["outcomes"]
    assert {"publish: some", "get: a message", "get: QueueEmpty", "get: QueueClosed", "work"} <= set(outcomes)
    assert {"subscribe: joined", "subscribe: ValueError", "leave: first", "leave: last"} <= set(outcomes)


class RestMayBeEmpty(Topics):
    def _route(self, topic: str) -> tuple[Any, Any]:
        buffers, queues = super()._route(topic)
        rest = self._patterns.match(f"{topic}.x")
        more = tuple(t.buffer for t in rest if isinstance(t, _Group) and t.buffer not in buffers)
        self._routes[topic] = buffers + more, queues
        return self._routes[topic]


class OneCopyForEachBinding(Topics):
    def _route(self, topic: str) -> tuple[Any, Any]:
        buffers, _ = super()._route(topic)
        self._routes[topic] = buffers, tuple(t for t in self._patterns.match(topic) if isinstance(t, Queue))
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
    monkeypatch.setattr("lightbroker.core.broker.Topics", wrong)
    with pytest.raises((AssertionError, ValueError, BrokerError)):
        run(EXAMPLES, STEPS, shrink=False)
