"""Messages that are ready later, and messages that are ready no longer."""

from collections.abc import Callable, Iterator

import pytest

from lightbroker import Broker, ManualClock, Queue, QueueEmpty, Retry
from tests.support import Call, counts, drain

Open = Callable[..., Queue]


def test_a_delayed_message_is_ready_when_it_is_due(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue()
    queue.push(b"", delay=5.0)
    assert counts(queue) == {"delayed": 1, "accepted": 1}
    clock.advance(4.999)
    with pytest.raises(QueueEmpty):
        queue.pull(timeout=0)
    clock.advance(0.001)
    assert counts(queue) == {"ready": 1, "accepted": 1}
    assert queue.pull(timeout=0).message.attempts == 1


def test_delayed_messages_come_in_the_order_in_which_they_are_due(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue()
    queue.push("3 s", delay=3.0)
    queue.push("1 s", delay=1.0)
    queue.push_many(["2 s", "2 s as well"], delay=2.0)
    queue.push("now")
    clock.advance(10.0)
    assert drain(queue) == ["now", "1 s", "2 s", "2 s as well", "3 s"]


@pytest.mark.parametrize("delay", [0, 0.0])
def test_no_delay_is_no_delay(open_queue: Open, delay: float) -> None:
    queue = open_queue()
    queue.push(b"", delay=delay)
    queue.push_many([b""], delay=delay)
    assert counts(queue) == {"ready": 2, "accepted": 2}


def test_a_delay_beyond_all_time_does_no_harm(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue()
    queue.push("never", delay=1e300)
    queue.push("soon", delay=1.0)
    clock.advance(100_000.0)
    assert drain(queue) == ["soon"]
    assert queue.stats().delayed == 1


@pytest.fixture
def queue_at_zero(front: Callable[..., Broker], store_url: str) -> Iterator[tuple[Queue, ManualClock]]:
    clock = ManualClock()
    broker = front(store_url, clock=clock)
    try:
        yield broker.queue("q", lease=30.0), clock
        broker.check()
    finally:
        broker.close(drain=False)


def test_the_beginning_of_time_is_a_time_too(queue_at_zero: tuple[Queue, ManualClock]) -> None:
    """A tenth of a microsecond after zero may be zero where a store keeps time."""
    queue, clock = queue_at_zero
    queue.push("retried")
    queue.pull(timeout=0).nack("bad", delay=1e-7)
    queue.push("mortal", ttl=1e-7)
    queue.push("delayed", delay=1e-7)
    clock.advance(1.0)
    assert counts(queue) == {"ready": 2, "expired": 1, "retried": 1, "accepted": 3}


def test_ten_steps_of_a_tenth_reach_a_delay_of_a_second(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue()
    queue.push(b"", delay=1.0)
    for _ in range(10):
        assert queue.stats().ready == 0
        clock.advance(0.1)
    assert queue.stats().ready == 1


def test_a_message_that_becomes_due_wakes_a_waiting_pull(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue()
    id = queue.push(b"", delay=5.0)
    pull = Call(queue.pull, None)
    assert pull.blocks()
    clock.advance(5.0)
    assert pull.result().message.id == id


@pytest.mark.parametrize("way", ["push", "push_many", "queue"])
def test_a_message_expires_at_its_ttl_exactly(open_queue: Open, clock: ManualClock, way: str) -> None:
    queue = open_queue(ttl=10.0 if way == "queue" else None)
    for _ in range(2):
        if way == "push":
            queue.push(b"", ttl=10.0)
        elif way == "push_many":
            queue.push_many([b""], ttl=10.0)
        else:
            queue.push(b"")
    clock.advance(9.999)
    assert counts(queue) == {"ready": 2, "accepted": 2}
    queue.pull(timeout=0).ack()
    clock.advance(0.001)
    assert counts(queue) == {"expired": 1, "acked": 1, "accepted": 2}
    with pytest.raises(QueueEmpty):
        queue.pull(timeout=0)


def test_a_message_may_live_shorter_or_longer_than_the_queue_says(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(ttl=10.0)
    queue.push("short", ttl=5.0)
    queue.push("as the queue says")
    queue.push("long", ttl=15.0)
    for left in (3, 2, 1, 0):
        assert queue.stats().ready == left
        clock.advance(5.0)


def test_a_short_ttl_behind_long_ones_ends_in_time(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(capacity=4)
    queue.push("no ttl")
    queue.push("long", ttl=60.0)
    queue.push("short", ttl=1.0)
    queue.push("long", ttl=60.0)
    clock.advance(1.0)
    assert counts(queue) == {"ready": 3, "expired": 1, "accepted": 4}
    queue.push("there is room again", timeout=0)
    assert drain(queue) == ["no ttl", "long", "long", "there is room again"]


def test_the_ttl_does_not_end_a_lease(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(lease=30.0)
    queue.push(b"", ttl=10.0)
    delivery = queue.pull(timeout=0)
    clock.advance(20.0)
    delivery.ack()
    assert counts(queue) == {"acked": 1, "accepted": 1}


def test_a_delayed_message_is_too_old_only_when_it_is_due(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue()
    queue.push("too old by then", delay=10.0, ttl=5.0)
    queue.push("young enough", delay=10.0, ttl=15.0)
    clock.advance(9.0)
    assert counts(queue) == {"delayed": 2, "accepted": 2}
    clock.advance(1.0)
    assert counts(queue) == {"ready": 1, "expired": 1, "accepted": 2}
    assert drain(queue) == ["young enough"]


def test_a_released_message_that_is_too_old_is_gone(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(lease=30.0)
    queue.push(b"", ttl=10.0)
    delivery = queue.pull(timeout=0)
    clock.advance(20.0)
    delivery.release()
    with pytest.raises(QueueEmpty):
        queue.pull(timeout=0)
    assert counts(queue) == {"expired": 1, "accepted": 1}


def test_a_message_that_failed_before_it_was_too_old_is_kept_as_evidence(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(retry=Retry(base=0.0))
    id = queue.push(b"", ttl=10.0)
    clock.advance(1.0)
    queue.pull(timeout=0).nack("no answer")
    clock.advance(9.0)
    [letter] = queue.dead_letters
    assert (letter.message.id, letter.reason, letter.error, letter.message.attempts) == (id, "expired", "no answer", 1)
    assert (letter.first_failed_at, letter.last_failed_at) == (1001.0, 1001.0)
    assert counts(queue) == {"dead": 1, "accepted": 1, "retried": 1}


def test_a_retry_that_is_too_old_when_it_is_due_is_evidence_too(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(retry=Retry(base=20.0, jitter=False))
    queue.push(b"", ttl=10.0)
    queue.pull(timeout=0).nack("no answer")
    clock.advance(20.0)
    assert [letter.reason for letter in queue.dead_letters] == ["expired"]
    assert counts(queue) == {"dead": 1, "accepted": 1, "retried": 1}


def test_expired_messages_give_their_room_back_to_a_waiting_push(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(capacity=1)
    queue.push("old", ttl=10.0)
    push = Call(queue.push, "new")
    assert push.blocks()
    clock.advance(10.0)
    push.result()
    assert drain(queue) == ["new"]


def test_a_batch_does_not_deliver_what_is_too_old(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue()
    queue.push_many(["old"] * 3, ttl=10.0)
    queue.push_many(["new"] * 3, ttl=20.0)
    clock.advance(10.0)
    assert [delivery.message.text for delivery in queue.pull_many(10, 0)] == ["new"] * 3


def test_many_ttls_cost_no_memory_for_what_is_settled(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue()
    for _ in range(30):
        queue.push_many([b""] * 100, ttl=1000.0)
        queue.ack_many(queue.pull_many(100, 0))
    queue.push("last", ttl=1000.0)
    clock.advance(1000.0)
    assert counts(queue) == {"acked": 3000, "expired": 1, "accepted": 3001}
