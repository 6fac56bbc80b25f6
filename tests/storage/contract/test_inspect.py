"""Looks at a queue that change nothing: the oldest message that is ready, and the newest dead letters."""

from collections.abc import Callable

from lightbroker import ManualClock, Queue
from lightbroker.storage.base import Inspectable

Open = Callable[..., Queue]


def inspect(queue: Queue) -> Inspectable:
    assert isinstance(queue.store, Inspectable), "each of our own stores offers it"
    return queue.store


def test_the_oldest_is_the_one_that_has_been_ready_longest(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue()
    assert inspect(queue).oldest() is None
    queue.push("delayed", delay=1000.0)
    assert inspect(queue).oldest() is None
    queue.push("a")
    clock.advance(5.0)
    queue.push("b")
    assert inspect(queue).oldest() == 1000.0
    queue.pull(timeout=0)
    assert inspect(queue).oldest() == 1005.0
    queue.pull(timeout=0)
    assert inspect(queue).oldest() is None


def test_the_newest_dead_letters_come_oldest_first_and_no_more_than_asked_for(open_queue: Open) -> None:
    queue = open_queue()
    assert inspect(queue).newest_dead(3) == []
    for body in ("a", "b", "c"):
        queue.push(body)
        queue.pull(timeout=0).reject(f"bad {body}")
    assert [letter.error for letter in inspect(queue).newest_dead(2)] == ["bad b", "bad c"]
    assert [letter.message.text for letter in inspect(queue).newest_dead(9)] == ["a", "b", "c"]
