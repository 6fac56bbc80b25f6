"""Waiting with a time-out: nobody gives up early, and no wake-up is lost on somebody who leaves."""

import threading
import time
from collections import deque
from queue import Empty

import pytest

from lightbroker.core.waiting import Waiters, attempt, wake


def _empty() -> None:
    raise Empty


def test_who_waits_does_so_for_all_of_his_time() -> None:
    started = time.monotonic()
    with pytest.raises(Empty):
        attempt(deque(), _empty, 0.05)
    assert time.monotonic() - started >= 0.05


def test_a_wake_up_of_somebody_who_was_just_interrupted_goes_to_the_next() -> None:
    waiters: Waiters = deque()
    next_in_line = threading.Lock()
    next_in_line.acquire()

    def interrupted() -> None:
        waiters.append(next_in_line)
        wake(waiters)  # meant for whoever has waited longest, who never tries again
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(waiters, interrupted, 60.0)
    assert next_in_line.acquire(blocking=False)
    assert not waiters


def test_so_many_are_roused_as_there_is_to_do_the_longest_waiting_first() -> None:
    locks = [threading.Lock() for _ in range(3)]
    for lock in locks:
        lock.acquire()
    waiters: Waiters = deque(locks)
    wake(waiters, 2)
    assert [lock.locked() for lock in locks] == [False, False, True]
    wake(waiters, 2)
    assert not locks[2].locked()
