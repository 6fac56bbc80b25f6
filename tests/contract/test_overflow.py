"""A full queue: what counts towards its capacity, and what each policy does."""

from collections.abc import Callable

import pytest

from lightbroker import LeaseLost, ManualClock, Overflow, Queue, QueueFull, Retry
from tests.support import Call, counts, drain

Open = Callable[..., Queue]


def is_full(queue: Queue) -> bool:
    """Try to push to a queue that refuses when it is full; return whether it did."""
    try:
        queue.push("probe")
    except QueueFull:
        return True
    return False


def test_ready_delayed_and_leased_messages_all_take_room(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(capacity=3, overflow=Overflow.REJECT, retry=Retry(base=5.0, jitter=False))
    queue.push("leased")
    queue.push("ready")
    queue.push("delayed", delay=5.0)
    delivery = queue.pull(timeout=0)
    assert counts(queue) == {"ready": 1, "delayed": 1, "leased": 1, "accepted": 3}
    assert is_full(queue)
    delivery.nack()
    assert is_full(queue)
    clock.advance(5.0)
    assert counts(queue) == {"ready": 3, "accepted": 3, "retried": 1, "refused": 2}
    assert is_full(queue)


@pytest.mark.parametrize(
    ("leaves", "makes_room"),
    [
        ("ack", True),
        ("reject", True),
        ("last nack", True),
        ("nack", False),
        ("release", False),
        ("lease expires", False),
    ],
)
def test_room_is_given_back_when_the_message_leaves_and_not_before(
    open_queue: Open, clock: ManualClock, leaves: str, makes_room: bool
) -> None:
    attempts = 1 if leaves == "last nack" else 2
    queue = open_queue(capacity=1, overflow=Overflow.REJECT, retry=Retry(max_attempts=attempts, base=0.0), lease=30.0)
    queue.push("a")
    delivery = queue.pull(timeout=0)
    if leaves == "reject":
        delivery.reject("no")
    elif leaves == "lease expires":
        clock.advance(30.0)
    else:
        getattr(delivery, leaves.removeprefix("last "))()
    assert is_full(queue) is not makes_room


@pytest.mark.parametrize("again", ["ack", "nack", "release", "late ack"])
def test_a_message_settled_twice_gives_its_room_back_once(open_queue: Open, clock: ManualClock, again: str) -> None:
    queue = open_queue(capacity=2, overflow=Overflow.REJECT, lease=30.0)
    queue.push_many(["a", "b"])
    delivery = queue.pull(timeout=0)
    if again == "late ack":
        clock.advance(30.0)
        queue.pull_many(2, 0)[0].ack()
    else:
        delivery.ack()
    with pytest.raises(LeaseLost):
        getattr(delivery, again.removeprefix("late "))()
    assert not is_full(queue)
    assert is_full(queue)


def test_a_full_queue_makes_a_push_wait_for_room(open_queue: Open) -> None:
    queue = open_queue(capacity=1)
    queue.push("a")
    push = Call(queue.push, "b")
    assert push.blocks()
    queue.pull(timeout=0).ack()
    push.result()
    assert drain(queue) == ["b"]


@pytest.mark.parametrize("timeout", [0, 0.0, 0.01])
def test_a_push_that_found_no_room_in_time_is_refused(open_queue: Open, timeout: float) -> None:
    queue = open_queue(capacity=1)
    queue.push("a")
    for refused in (1, 2):
        with pytest.raises(QueueFull, match="'q'"):
            queue.push("b", timeout=timeout)
        assert counts(queue) == {"ready": 1, "accepted": 1, "refused": refused}
    with pytest.raises(QueueFull):
        queue.push("b", timeout=timeout, delay=1.0)
    assert drain(queue) == ["a"]


def test_a_push_that_waits_long_enough_gets_in(open_queue: Open) -> None:
    queue = open_queue(capacity=1)
    queue.push("a")
    push = Call(queue.push, "b", timeout=60.0)
    assert push.blocks()
    queue.pull(timeout=0).ack()
    push.result()
    assert counts(queue) == {"ready": 1, "acked": 1, "accepted": 2}


def test_a_message_that_waited_for_room_keeps_the_time_of_its_push(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(capacity=1)
    queue.push("a")
    push = Call(queue.push, "b")
    assert push.blocks()
    clock.advance(7.0)
    queue.pull(timeout=0).ack()
    push.result()
    assert queue.pull(timeout=0).message.timestamp == 1000.0


def test_a_delayed_push_waits_for_room_too(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(capacity=1)
    queue.push("a")
    push = Call(queue.push, "b", delay=5.0)
    assert push.blocks()
    queue.pull(timeout=0).ack()
    push.result()
    assert counts(queue) == {"delayed": 1, "acked": 1, "accepted": 2}
    clock.advance(5.0)
    assert drain(queue) == ["b"]


@pytest.mark.parametrize("timeout", [None, 60.0])
def test_reject_refuses_at_once(open_queue: Open, timeout: float | None) -> None:
    queue = open_queue(capacity=1, overflow=Overflow.REJECT)
    queue.push("a")
    with pytest.raises(QueueFull, match="'q'"):
        queue.push("b", timeout=timeout)
    assert counts(queue) == {"ready": 1, "accepted": 1, "refused": 1}


def test_drop_newest_drops_what_is_being_pushed(open_queue: Open) -> None:
    queue = open_queue(capacity=2, overflow=Overflow.DROP_NEWEST)
    assert [queue.push(body) is not None for body in "abcd"] == [True, True, False, False]
    assert counts(queue) == {"ready": 2, "dropped": 2, "accepted": 4}
    assert drain(queue) == ["a", "b"]


def test_drop_oldest_drops_what_was_ready_longest(open_queue: Open) -> None:
    queue = open_queue(capacity=2, overflow=Overflow.DROP_OLDEST)
    assert all(queue.push(body) for body in "abcd")
    assert counts(queue) == {"ready": 2, "dropped": 2, "accepted": 4}
    assert drain(queue) == ["c", "d"]


def test_drop_oldest_with_nothing_ready_drops_the_new_message(open_queue: Open) -> None:
    queue = open_queue(capacity=2, overflow=Overflow.DROP_OLDEST)
    queue.push("delayed", delay=60.0)
    queue.push("leased")
    delivery = queue.pull(timeout=0)
    assert queue.push("new") is None
    assert counts(queue) == {"delayed": 1, "leased": 1, "dropped": 1, "accepted": 3}
    delivery.ack()


def test_dead_letter_keeps_what_found_no_room(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(capacity=1, overflow=Overflow.DEAD_LETTER)
    queue.push("a")
    id = queue.push("b", headers={"h": "1"})
    assert counts(queue) == {"ready": 1, "dead": 1, "accepted": 2}
    [letter] = queue.dead_letters
    assert (letter.message.id, letter.message.text, letter.reason, letter.queue) == (id, "b", "overflow", "q")
    assert (letter.message.attempts, dict(letter.message.headers)) == (0, {"h": "1"})
    assert letter.first_failed_at == letter.last_failed_at == 1000.0


@pytest.mark.parametrize("policy", [Overflow.DROP_NEWEST, Overflow.DROP_OLDEST, Overflow.DEAD_LETTER])
def test_a_policy_that_loses_or_buries_never_waits(open_queue: Open, policy: Overflow) -> None:
    queue = open_queue(capacity=1, overflow=policy)
    for _ in range(3):
        Call(queue.push, "a", timeout=60.0).result()
    assert queue.stats().accepted == 3


@pytest.mark.parametrize("policy", Overflow)
def test_without_a_capacity_nothing_is_ever_full(open_queue: Open, policy: Overflow) -> None:
    queue = open_queue(capacity=None, overflow=policy)
    queue.push_many([b""] * 500)
    queue.push(b"", timeout=0, delay=1.0)
    queue.pull(timeout=0).ack()
    assert queue.stats().capacity is None
    assert counts(queue) == {"ready": 499, "delayed": 1, "acked": 1, "accepted": 501}


def test_a_stalled_consumer_bounds_what_is_held(open_queue: Open) -> None:
    queue = open_queue(capacity=10, overflow=Overflow.DROP_OLDEST)
    queue.push_many([b""] * 5)
    queue.pull_many(5, 0)
    for _ in range(50):
        queue.push(b"")
    assert counts(queue) == {"ready": 5, "leased": 5, "dropped": 45, "accepted": 55}


def test_stats_tell_the_capacity(open_queue: Open) -> None:
    assert open_queue(capacity=7).stats().capacity == 7
