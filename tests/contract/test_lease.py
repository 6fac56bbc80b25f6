"""Leases and fencing: a message is with one consumer, until a deadline, under a receipt that is worth nothing after."""

from collections.abc import Callable

import pytest

from lightbroker import Delivery, LeaseLost, ManualClock, Queue, QueueEmpty, Retry
from tests.support import Call, counts

Open = Callable[..., Queue]

SETTLE: dict[str, Callable[[Delivery], None]] = {
    "ack": Delivery.ack,
    "nack": Delivery.nack,
    "nack with a delay": lambda delivery: delivery.nack(ValueError("late"), delay=1.0),
    "release": Delivery.release,
    "reject": lambda delivery: delivery.reject("late"),
}
USE = {**SETTLE, "extend": lambda delivery: delivery.extend(1000.0)}

use = pytest.mark.parametrize("late", USE.values(), ids=USE)


def test_a_leased_message_is_with_nobody_else_until_the_lease_is_over(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(lease=30.0)
    id = queue.push(b"")
    first = queue.pull(timeout=0)
    clock.advance(29.999)
    with pytest.raises(QueueEmpty):
        queue.pull(timeout=0)
    clock.advance(0.001)
    second = queue.pull(timeout=0)
    assert first.message.id == second.message.id == id
    assert first.receipt != second.receipt
    assert (first.message.attempts, second.message.attempts) == (1, 2)
    assert second.deadline == 1060.0


def test_each_lease_runs_from_its_own_pull(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(lease=10.0)
    queue.push_many(["a", "b", "c"])
    for seconds in (3.0, 4.0, 4.5):
        clock.advance(seconds)
        queue.pull(timeout=0)
    assert counts(queue) == {"leased": 3, "accepted": 3}
    for seconds, leased in ((1.4, 3), (0.1, 2), (3.9, 2), (0.1, 1), (4.4, 1), (0.1, 0)):
        clock.advance(seconds)
        assert queue.stats().leased == leased


@use
def test_a_receipt_is_worth_nothing_once_the_lease_ran_out(
    open_queue: Open, clock: ManualClock, late: Callable[[Delivery], None]
) -> None:
    queue = open_queue(lease=30.0)
    queue.push(b"")
    stale = queue.pull(timeout=0)
    clock.advance(30.0)
    before = queue.stats()
    with pytest.raises(LeaseLost, match="'q'"):
        late(stale)
    assert queue.stats() == before


@use
def test_a_late_consumer_cannot_touch_the_delivery_of_the_next(
    open_queue: Open, clock: ManualClock, late: Callable[[Delivery], None]
) -> None:
    queue = open_queue(lease=30.0)
    queue.push(b"")
    stale = queue.pull(timeout=0)
    clock.advance(30.0)
    held = queue.pull(timeout=0)
    deadline, before = held.deadline, queue.stats()
    with pytest.raises(LeaseLost):
        late(stale)
    assert (queue.stats(), held.deadline) == (before, deadline)
    held.ack()
    assert counts(queue) == {"acked": 1, "accepted": 1, "retried": 1}


@use
@pytest.mark.parametrize("settle", SETTLE.values(), ids=SETTLE)
def test_a_delivery_is_settled_once(
    open_queue: Open, settle: Callable[[Delivery], None], late: Callable[[Delivery], None]
) -> None:
    queue = open_queue()
    queue.push(b"")
    delivery = queue.pull(timeout=0)
    settle(delivery)
    before = queue.stats()
    with pytest.raises(LeaseLost):
        late(delivery)
    assert queue.stats() == before
    assert len(queue.dead_letters) == before.dead


def test_every_delivery_has_a_receipt_of_its_own(open_queue: Open) -> None:
    queue = open_queue()
    queue.push_many([b""] * 3)
    receipts = []
    for _ in range(3):
        deliveries = [queue.pull(timeout=0), *queue.pull_many(2, 0)]
        receipts += [delivery.receipt for delivery in deliveries]
        for delivery in deliveries:
            assert delivery.receipt in receipts  # reading it twice gives the same
            delivery.release()
    assert len(set(receipts)) == 9


def test_extend_keeps_the_lease_from_now_on(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(lease=30.0)
    queue.push(b"")
    delivery = queue.pull(timeout=0)
    receipt = delivery.receipt
    clock.advance(20.0)
    delivery.extend(40.0)
    assert (delivery.deadline, delivery.receipt) == (1060.0, receipt)
    clock.advance(39.5)
    assert counts(queue) == {"leased": 1, "accepted": 1}
    clock.advance(0.5)
    assert queue.stats().leased == 0
    with pytest.raises(LeaseLost):
        delivery.ack()


def test_extend_never_shortens_a_lease(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(lease=30.0)
    queue.push(b"")
    delivery = queue.pull(timeout=0)
    delivery.extend(1.0)
    assert delivery.deadline == 1030.0
    clock.advance(29.0)
    delivery.ack()


def test_a_lease_can_be_extended_again_and_again(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(lease=30.0)
    queue.push(b"")
    delivery = queue.pull(timeout=0)
    for _ in range(20):
        clock.advance(29.0)
        delivery.extend(30.0)
    delivery.ack()
    assert counts(queue) == {"acked": 1, "accepted": 1}


def test_extended_leases_do_not_hold_up_the_others(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(lease=30.0)
    queue.push_many([b""] * 600)
    deliveries = queue.pull_many(600, 0)
    for delivery in deliveries[:299]:
        delivery.extend(1000.0)
    clock.advance(10.0)
    deliveries[599].extend(25.0)
    clock.advance(20.0)
    assert queue.stats().leased == 300
    clock.advance(5.0)
    assert queue.stats().leased == 299
    clock.advance(965.0)
    assert queue.stats().leased == 0


def test_the_end_of_a_lease_wakes_a_waiting_pull(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(lease=30.0)
    id = queue.push(b"")
    queue.pull(timeout=0)
    pull = Call(queue.pull, None)
    assert pull.blocks()
    clock.advance(30.0)
    delivery = pull.result()
    assert (delivery.message.id, delivery.message.attempts) == (id, 2)


def test_a_lease_that_ran_out_waits_for_the_backoff(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(lease=30.0, retry=Retry(base=4.0, jitter=False))
    queue.push(b"")
    queue.pull(timeout=0)
    clock.advance(30.0)
    assert counts(queue) == {"delayed": 1, "accepted": 1, "retried": 1}
    clock.advance(4.0)
    assert queue.pull(timeout=0).message.attempts == 2


def test_many_leases_end_in_one_step(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(lease=30.0)
    queue.push_many([b""] * 700)
    queue.pull_many(350, 0)
    for _ in range(350):
        queue.pull(timeout=0)
    clock.advance(30.0)
    assert counts(queue) == {"ready": 700, "accepted": 700, "retried": 700}


def test_a_crash_loop_ends_among_the_dead_letters(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(lease=30.0, retry=Retry(max_attempts=3, base=0.0))
    id = queue.push(b"")
    for attempt in (1, 2, 3):
        assert queue.pull(timeout=0).message.attempts == attempt
        clock.advance(30.0)
    [letter] = queue.dead_letters
    assert (letter.message.id, letter.reason, letter.message.attempts) == (id, "max_attempts", 3)
    assert "LeaseExpired" in letter.error
    assert (letter.first_failed_at, letter.last_failed_at) == (1030.0, 1090.0)
    assert counts(queue) == {"dead": 1, "accepted": 1, "retried": 2}


def test_time_moved_far_on_ends_a_lease_once(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(lease=1.0)
    queue.push(b"")
    queue.pull(timeout=0)
    clock.advance(10_000.0)
    assert queue.pull(timeout=0).message.attempts == 2
