"""With tracing, a broker tells the transitions of a message's life."""

from collections.abc import Callable

import pytest

from lightbroker import Broker, ManualClock, Overflow, Queue, Retry

Steps = list[tuple[float, str, str, str]]


@pytest.fixture
def broker(make_broker: Callable[..., Broker]) -> Broker:
    return make_broker(trace=100)


def steps(broker: Broker, id: str | None) -> Steps:
    """Return when, from where, where to and in which attempt."""
    assert id is not None
    return [(step.time - 1000.0, step.source, step.target, step.cause) for step in broker.trace(id)]


def test_a_plain_life(broker: Broker, open_queue: Callable[..., Queue], clock: ManualClock) -> None:
    queue = open_queue()
    id = queue.push(b"")
    clock.advance(1.0)
    queue.pull(timeout=0).ack()
    assert steps(broker, id) == [
        (0.0, "NEW", "READY", "push"),
        (1.0, "READY", "LEASED", "pull"),
        (1.0, "LEASED", "acked", "ack"),
    ]
    assert [step.attempt for step in broker.trace(id)] == [0, 1, 1]


def test_a_troubled_life(broker: Broker, open_queue: Callable[..., Queue], clock: ManualClock) -> None:
    queue = open_queue(lease=30.0, retry=Retry(max_attempts=2, base=2.0, jitter=False))
    id = queue.push(b"", delay=1.0)
    clock.advance(1.0)
    queue.pull(timeout=0).release()
    queue.pull(timeout=0)
    clock.advance(30.0)
    clock.advance(2.0)
    queue.pull(timeout=0).nack("no")
    queue.dead_letters.redrive()
    queue.pull(timeout=0).reject("never")
    queue.dead_letters.purge()
    assert steps(broker, id) == [
        (0.0, "NEW", "DELAYED", "push"),
        (1.0, "DELAYED", "READY", "due"),
        (1.0, "READY", "LEASED", "pull"),
        (1.0, "LEASED", "READY", "release"),
        (1.0, "READY", "LEASED", "pull"),
        (31.0, "LEASED", "DELAYED", "lease expired"),
        (33.0, "DELAYED", "READY", "due"),
        (33.0, "READY", "LEASED", "pull"),
        (33.0, "LEASED", "DEAD", "max_attempts"),
        (33.0, "DEAD", "READY", "redrive"),
        (33.0, "READY", "LEASED", "pull"),
        (33.0, "LEASED", "DEAD", "rejected"),
        (33.0, "DEAD", "purged", "purge"),
    ]


def test_lives_cut_short(broker: Broker, open_queue: Callable[..., Queue], clock: ManualClock) -> None:
    queue = open_queue(capacity=1, overflow=Overflow.DROP_OLDEST)
    oldest, expiring = queue.push("oldest"), queue.push("expiring", ttl=5.0)
    clock.advance(5.0)
    assert steps(broker, oldest) == [(0.0, "NEW", "READY", "push"), (0.0, "READY", "dropped", "overflow")]
    assert steps(broker, expiring) == [(0.0, "NEW", "READY", "push"), (5.0, "READY", "expired", "ttl")]


def test_lives_that_end_among_the_dead_letters(broker: Broker, clock: ManualClock) -> None:
    queue = broker.queue("q", capacity=1, overflow=Overflow.DEAD_LETTER, dead_capacity=1, retry=Retry(base=0.0))
    failing = queue.push("failing", ttl=5.0)
    overflowing = queue.push("overflowing")
    queue.pull(timeout=0).nack("no")
    clock.advance(5.0)
    assert steps(broker, overflowing) == [(0.0, "NEW", "DEAD", "overflow"), (5.0, "DEAD", "dropped", "dead_capacity")]
    assert steps(broker, failing)[-1] == (5.0, "READY", "DEAD", "expired")


def test_batches_are_traced_too(broker: Broker, open_queue: Callable[..., Queue]) -> None:
    queue = open_queue()
    ids = queue.push_many([b""] * 3)
    queue.ack_many(queue.pull_many(3, 0))
    for id in ids:
        assert [step[2] for step in steps(broker, id)] == ["READY", "LEASED", "acked"]


def test_the_last_transitions_are_kept(make_broker: Callable[..., Broker]) -> None:
    broker = make_broker(trace=4)
    ids = [broker.push("q", b"") for _ in range(6)]
    assert [len(broker.trace(id)) for id in ids if id] == [0, 0, 1, 1, 1, 1]


def test_without_tracing_nothing_is_remembered(make_broker: Callable[..., Broker]) -> None:
    broker = make_broker()
    assert broker.trace(broker.push("q", b"") or "") == []


def test_of_an_unknown_message_there_is_nothing_to_tell(broker: Broker) -> None:
    assert broker.trace("no such id") == []
