"""Closing: whoever waits is woken, nothing new is taken, and what is left stays or goes with the store."""

from collections.abc import Callable
from typing import Any

import pytest

from lightbroker import Broker, ManualClock, Overflow, Queue, QueueClosed
from tests.contract.stores import StoreUnderTest
from tests.support import Call, counts

pytestmark = pytest.mark.usefixtures("switching")

Open = Callable[..., Queue]


@pytest.mark.parametrize("drain", [True, False])
def test_closing_wakes_everyone_who_waits_for_a_message(open_queue: Open, broker: Broker, drain: bool) -> None:
    queue = open_queue()
    calls = [Call(queue.pull, None), Call(queue.pull, 60.0), Call(queue.pull_many, 5, None), Call(broker.pull, "q")]
    assert all(call.blocks() for call in calls)
    broker.close(drain=drain)
    for call in calls:
        with pytest.raises(QueueClosed):
            call.result()


@pytest.mark.parametrize("drain", [True, False])
def test_closing_wakes_everyone_who_waits_for_room(open_queue: Open, broker: Broker, drain: bool) -> None:
    queue = open_queue(capacity=1)
    id = queue.push("full")
    calls = [
        Call(queue.push, "a"),
        Call(queue.push, "b", timeout=60.0),
        Call(queue.push, "c", delay=1.0),
        Call(queue.push_many, ["d", "e"]),
        Call(broker.push, "q", "f"),
    ]
    assert all(call.blocks() for call in calls)
    broker.close(drain=drain)
    for call in calls:
        with pytest.raises(QueueClosed) as caught:
            call.result()
        assert id not in caught.value.accepted


def test_a_batch_that_was_waiting_says_what_had_been_accepted(open_queue: Open, broker: Broker) -> None:
    queue = open_queue(capacity=2)
    push = Call(queue.push_many, ["a", "b", "c"])
    assert push.blocks()
    broker.close()
    with pytest.raises(QueueClosed) as caught:
        push.result()
    assert len(caught.value.accepted) == 2


@pytest.mark.parametrize("policy", Overflow)
def test_a_closed_queue_takes_and_gives_nothing(open_queue: Open, broker: Broker, policy: Overflow) -> None:
    queue = open_queue(capacity=2, overflow=policy)
    queue.push("a")
    broker.close()
    calls: list[Callable[[], Any]] = [
        lambda: queue.push("b"),
        lambda: queue.push("b", timeout=0),
        lambda: queue.push("b", delay=1.0),
        lambda: queue.push_many(["b", "c", "d"]),
        lambda: queue.pull(timeout=0),
        lambda: queue.pull(),
        lambda: queue.pull_many(2),
        lambda: broker.push("q", "b"),
        lambda: broker.pull("q"),
        lambda: broker.push("new", "b"),
        lambda: broker.queue("new"),
    ]
    for call in calls:
        with pytest.raises(QueueClosed):
            Call(call).result()


@pytest.mark.parametrize("capacity", [10, None])
def test_a_queue_that_drains_takes_nothing_new_and_gives_what_it_has(open_queue: Open, capacity: int | None) -> None:
    queue = open_queue(capacity=capacity)
    queue.push_many(["a", "b"])
    queue.pull(0).reject("no")
    queue.stored.refuse()
    calls: list[Callable[[], Any]] = [
        lambda: queue.push("c"),
        lambda: queue.push("c", timeout=1.0),
        lambda: queue.push("c", delay=1.0),
        lambda: queue.push_many(["c", "d"]),
        lambda: queue.push_many(["c", "d"], timeout=1.0),
        lambda: queue.dead_letters.redrive(),
    ]
    for call in calls:
        with pytest.raises(QueueClosed):
            Call(call).result()
    assert queue.pull(0).message.text == "b"
    assert counts(queue) == {"accepted": 2, "leased": 1, "dead": 1}


def test_closing_again_does_nothing(open_queue: Open, broker: Broker) -> None:
    open_queue()
    for _ in range(3):
        broker.close()


def test_a_broker_is_a_context_that_closes(make_broker: Callable[..., Broker]) -> None:
    with make_broker() as broker:
        queue = broker.queue("q")
    with pytest.raises(QueueClosed):
        queue.push(b"")


def test_what_a_durable_store_held_is_there_when_it_is_opened_again(
    make_broker: Callable[..., Broker], store: StoreUnderTest, clock: ManualClock
) -> None:
    first = make_broker()
    first.push("q", "ready", headers={"h": "1"})
    first.push("q", "delayed", delay=10.0)
    first.close()
    again = make_broker()
    queue = again.queue("q")
    assert counts(queue) == ({"ready": 1, "delayed": 1, "accepted": 2} if store.durable else {})
    clock.advance(10.0)
    bodies = [delivery.message.text for delivery in queue.pull_many(5, 0)] if store.durable else []
    assert bodies == (["ready", "delayed"] if store.durable else [])
