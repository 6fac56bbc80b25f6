"""What only the store in memory has: permits, tokens, and one scan over the leases."""

from collections.abc import Callable
from typing import Any

import pytest

from lightbroker import InvariantError, ManualClock, Message, Queue, QueueClosed, QueueFull
from lightbroker.core import store
from lightbroker.core.memory.queue import MemoryQueue
from lightbroker.core.policy import QueueOptions
from lightbroker.core.waiting import Waiters

OpenQueue = Callable[..., Queue]


def test_a_permit_that_has_leaked_is_noticed() -> None:
    broken = MemoryQueue("q", QueueOptions(capacity=2), ManualClock())
    broken._steps.pool.get()
    with pytest.raises(InvariantError, match="1 free permits"):
        broken.check()


def test_a_message_that_was_not_announced_is_noticed() -> None:
    broken = MemoryQueue("q", QueueOptions(capacity=None), ManualClock())
    next(broken._steps.signal)
    with pytest.raises(InvariantError, match="announces 1 messages"):
        broken.check()


def test_a_batch_that_waits_for_room_has_one_time_for_all(
    open_queue: OpenQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float | None] = []

    def attempt(waiters: Waiters, step: Callable[[], None], timeout: float | None) -> None:
        waits.append(timeout)  # and let nothing enter

    queue = open_queue(capacity=1)
    queue.push("full")
    monkeypatch.setattr(store, "attempt", attempt)
    with pytest.raises(QueueFull):
        queue.push_many(["a", "b", "c"], timeout=5.0)
    assert waits == [5.0]


def test_a_look_at_the_leases_ends_at_the_first_that_has_time_left(open_queue: OpenQueue, clock: ManualClock) -> None:
    queue = open_queue(lease=30.0, capacity=None)
    clock.advance(20.0)
    queue.push_many(["a"] * 1000)
    queue.pull_many(1000)
    clock.advance(20.0)  # over the alarm of the idle queue
    assert queue.stats().leased == 1000
    clock.advance(20.0)
    assert queue.stats().ready == 1000


def test_a_batch_that_meets_the_close_says_what_got_in_and_leaves_the_word_for_the_next() -> None:
    queue: Any = MemoryQueue("q", QueueOptions(capacity=2), ManualClock())
    queue._steps.pool.get()
    queue._steps.pool.put(None)  # as `refuse` does, at the moment between the look whether it did and the step
    with pytest.raises(QueueClosed) as caught:
        queue.push_many([Message(id, b"", 0.0) for id in "ab"], None, 0.0)
    assert caught.value.accepted == ("a",)
    assert [queue.pull(0.0).message.id, queue._steps.pool.get_nowait()] == ["a", None]
