"""Failing and trying again: the rule for attempts, and the backoff."""

from collections.abc import Callable
from typing import Any

import pytest

from lightbroker import Broker, ManualClock, Queue, QueueEmpty, Retry
from tests.support import Call, counts, drain

Open = Callable[..., Queue]


def waits(queue: Queue, clock: ManualClock, deliveries: int) -> list[float]:
    """Nack that many deliveries of one message; return how long each was delayed, to 0.1 s."""
    queue.push(b"")
    waited = []
    for _ in range(deliveries):
        queue.pull(timeout=0).nack()
        since = clock.monotonic()
        while not queue.stats().ready:
            clock.advance(0.1)
        waited.append(round(clock.monotonic() - since, 1))
    return waited


def test_each_delivery_is_an_attempt(open_queue: Open) -> None:
    queue = open_queue(retry=Retry(max_attempts=4, base=0.0))
    queue.push(b"")
    for attempt in (1, 2, 3, 4):
        delivery = queue.pull(timeout=0)
        assert delivery.message.attempts == attempt
        delivery.nack()
    assert counts(queue) == {"dead": 1, "accepted": 1, "retried": 3}


def test_a_held_message_does_not_change_when_it_is_delivered_again(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(lease=30.0)
    queue.push(b"")
    first = queue.pull(timeout=0).message
    clock.advance(30.0)
    queue.pull(timeout=0)
    assert first.attempts == 1


def test_release_takes_the_attempt_back(open_queue: Open) -> None:
    queue = open_queue(retry=Retry(max_attempts=2, base=0.0))
    queue.push(b"")
    for _ in range(5):
        delivery = queue.pull(timeout=0)
        assert delivery.message.attempts == 1
        delivery.release()
    queue.pull(timeout=0).nack()
    delivery = queue.pull(timeout=0)
    assert delivery.message.attempts == 2
    delivery.release()
    assert queue.pull(timeout=0).message.attempts == 2
    assert counts(queue) == {"leased": 1, "accepted": 1, "retried": 1}


def test_release_does_not_wait_for_the_backoff(open_queue: Open) -> None:
    queue = open_queue(retry=Retry(base=60.0, jitter=False))
    queue.push(b"")
    queue.pull(timeout=0).release()
    assert counts(queue) == {"ready": 1, "accepted": 1}


def test_a_single_attempt_is_never_retried(open_queue: Open) -> None:
    queue = open_queue(retry=Retry(max_attempts=1))
    queue.push(b"")
    queue.pull(timeout=0).nack(delay=5.0)
    assert counts(queue) == {"dead": 1, "accepted": 1}


def test_reject_buries_at_once_whatever_attempts_are_left(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue()
    id = queue.push(b"")
    queue.pull(timeout=0).reject("no such block")
    [letter] = queue.dead_letters
    assert (letter.message.id, letter.reason, letter.error) == (id, "rejected", "no such block")
    assert (letter.message.attempts, letter.first_failed_at, letter.last_failed_at) == (1, 1000.0, 1000.0)
    assert counts(queue) == {"dead": 1, "accepted": 1}


def test_the_backoff_without_jitter_is_exact(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(retry=Retry(max_attempts=10, base=0.5, factor=3.0, cap=10.0, jitter=False))
    assert waits(queue, clock, 5) == [0.5, 1.5, 4.5, 10.0, 10.0]


def test_a_retry_is_not_a_moment_early(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(retry=Retry(base=2.0, jitter=False))
    queue.push(b"")
    queue.pull(timeout=0).nack()
    assert counts(queue) == {"delayed": 1, "accepted": 1, "retried": 1}
    clock.advance(1.999999)
    with pytest.raises(QueueEmpty):
        queue.pull(timeout=0)
    clock.advance(0.000001)
    assert queue.pull(timeout=0).message.attempts == 2


def test_full_jitter_stays_below_the_bound_and_repeats_with_its_seed(
    make_broker: Callable[..., Broker], clock: ManualClock
) -> None:
    def series(name: str, seed: int | None) -> list[float]:
        retry = Retry(max_attempts=20, base=2.0, factor=1.0, seed=seed)
        return waits(make_broker().queue(name, retry=retry, lease=1e6), clock, 10)

    first, again, other = series("a", 7), series("b", 7), series("c", 8)
    assert first == again != other
    assert len(set(first)) > 3
    assert all(0.0 <= wait <= 2.1 for wait in first + other)


@pytest.mark.parametrize("retry", [Retry(base=60.0, jitter=False), Retry(base=60.0)])
def test_a_delay_that_the_consumer_names_replaces_the_backoff(
    open_queue: Open, clock: ManualClock, retry: Retry
) -> None:
    queue = open_queue(retry=retry)
    queue.push(b"")
    queue.pull(timeout=0).nack(delay=2.0)
    assert counts(queue) == {"delayed": 1, "accepted": 1, "retried": 1}
    clock.advance(2.0)
    assert queue.stats().ready == 1


@pytest.mark.parametrize("delay", [0, 0.0])
def test_a_delay_of_0_is_honoured(open_queue: Open, delay: float) -> None:
    queue = open_queue(retry=Retry(base=60.0, jitter=False))
    queue.push(b"")
    queue.pull(timeout=0).nack(delay=delay)
    assert queue.pull(timeout=0).message.attempts == 2


def test_a_retry_that_is_due_wakes_a_waiting_pull(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(retry=Retry(base=5.0, jitter=False))
    queue.push(b"")
    queue.pull(timeout=0).nack()
    pull = Call(queue.pull, 60.0)
    assert pull.blocks()
    clock.advance(5.0)
    assert pull.result().message.attempts == 2


@pytest.mark.parametrize("give_back", ["nack", "release"])
def test_a_message_that_was_given_back_goes_to_the_back(open_queue: Open, give_back: str) -> None:
    queue = open_queue()
    queue.push_many(["a", "b", "c"])
    getattr(queue.pull(timeout=0), give_back)()
    assert drain(queue) == ["b", "c", "a"]


def test_an_expired_lease_goes_to_the_back(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(lease=30.0)
    queue.push_many(["a", "b", "c"])
    queue.pull(timeout=0)
    clock.advance(30.0)
    assert drain(queue) == ["b", "c", "a"]


def fails(message: str) -> ValueError:
    try:
        raise ValueError(message)
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    ("error", "text", "in_traceback"),
    [
        (fails("bad block"), "ValueError: bad block", "in fails"),
        ("the node is away", "the node is away", ""),
        (None, "", ""),
        ("Fehler 😀", "Fehler 😀", ""),
    ],
)
def test_a_dead_letter_names_the_last_failure(
    open_queue: Open, clock: ManualClock, error: Any, text: str, in_traceback: str
) -> None:
    queue = open_queue(retry=Retry(max_attempts=2, base=0.0))
    id = queue.push("body", headers={"h": "1"})
    clock.advance(1.0)
    queue.pull(timeout=0).nack("another error")
    clock.advance(2.0)
    queue.pull(timeout=0).nack(error)
    [letter] = queue.dead_letters
    assert (letter.message.id, letter.message.text, dict(letter.message.headers)) == (id, "body", {"h": "1"})
    assert (letter.queue, letter.reason, letter.message.attempts) == ("q", "max_attempts", 2)
    assert letter.error == text
    assert in_traceback in letter.traceback
    assert bool(letter.traceback) == bool(in_traceback)
    assert (letter.first_failed_at, letter.last_failed_at, letter.message.timestamp) == (1001.0, 1003.0, 1000.0)


def test_of_an_endless_error_the_end_of_the_traceback_is_kept(open_queue: Open) -> None:
    queue = open_queue(retry=Retry(max_attempts=1))
    queue.push(b"")
    queue.pull(timeout=0).nack(fails("x" * 100_000 + "the end"))
    [letter] = queue.dead_letters
    assert len(letter.error) <= 16 * 1024 >= len(letter.traceback)
    assert letter.traceback.rstrip().endswith("the end")
