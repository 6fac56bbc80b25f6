"""Looks at a queue that change nothing: the oldest message that is ready, the oldest and the newest dead letters."""

import os
from collections.abc import Callable

import pytest

from lightbroker import ManualClock, Queue
from lightbroker.core.store import Inspectable
from tests.contract.stores import StoreUnderTest

Open = Callable[..., Queue]


def inspect(queue: Queue) -> Inspectable:
    assert isinstance(queue.stored, Inspectable), "each of our own stores offers it"
    return queue.stored


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


def test_the_oldest_and_the_newest_dead_letters_come_oldest_first_and_no_more_than_asked_for(open_queue: Open) -> None:
    queue = open_queue()
    assert inspect(queue).oldest_dead(3, 100) == inspect(queue).newest_dead(3, 100) == []
    for body in ("a", "b", "c"):
        queue.push(body)
        queue.pull(timeout=0).reject(f"bad {body}")
    for most, oldest, newest in ((1, "a", "c"), (2, "ab", "bc"), (3, "abc", "abc"), (10**9, "abc", "abc")):
        for expected, found in (
            (oldest, inspect(queue).oldest_dead(most, 100)),
            (newest, inspect(queue).newest_dead(min(most, 100), 100)),
        ):
            assert [excerpt.letter.message.text for excerpt in found] == list(expected)
            assert [excerpt.letter.error for excerpt in found] == [f"bad {body}" for body in expected]


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 768, 769, 70_000])
def test_of_a_dead_letter_as_much_is_read_as_will_be_shown_and_its_size_is_told(
    open_queue: Open, store: StoreUnderTest, size: int
) -> None:
    queue = open_queue()
    body = os.urandom(size)
    id = queue.push(body, headers={"h": "ü" * 300})
    queue.pull(timeout=0).reject("bad")
    for shown in (0, 10, size, 100_000):
        for [excerpt] in (inspect(queue).oldest_dead(1, shown), inspect(queue).newest_dead(1, shown)):
            message = excerpt.letter.message
            assert (message.body[:shown], excerpt.size) == (body[:shown], size)
            assert len(message.body) <= shown or not store.durable, "what has to be fetched is not fetched in vain"
            assert (message.id, message.headers, message.timestamp) == (id, {"h": "ü" * 300}, 1000.0)
