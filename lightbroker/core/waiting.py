"""Waiting with a time-out, for the memory store.

`SimpleQueue.get(timeout=…)` cannot be used for it: up to CPython 3.12, a thread that is woken, finds that another
was faster, and has no time left by then, goes on to wait without any limit. So who waits with a time-out hangs a lock
of its own on a list, and whoever makes room or a message ready takes the first off and releases it. What a coroutine
hangs there instead is in `lightbroker.aio.waiting`: who makes room or a message ready cannot tell them apart.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import repeat
from operator import methodcaller
from queue import Empty
from typing import Protocol, TypeVar

T = TypeVar("T")


class Sleeper(Protocol):
    """What somebody who waits hangs up: a lock that was acquired, or the like."""

    def release(self) -> None:
        """Let him try again; called at most once, from any thread."""


#: Of those who wait, the longest first. Append, popleft, remove and the look whether any is there are atomic.
Sleepers = deque[Sleeper]

_release = methodcaller("release")


def rouse(sleepers: Sleepers, most: int = 1) -> None:
    """Let up to `most` of those who wait try again; in one step, so that nobody is taken off the list and not woken."""
    with suppress(IndexError):
        deque(map(_release, map(deque.popleft, repeat(sleepers, most))), maxlen=0)


def attempt(sleepers: Sleepers, step: Callable[[], T], timeout: float | None) -> T:
    """Call `step` until it does not raise Empty, again each time that `rouse` wakes this thread.

    Args:
        sleepers: Where this thread waits to be roused.
        step: Tries once and raises Empty if that was in vain. Anything else that it raises is raised at once.
        timeout: Seconds after which to give up (None: never).

    Returns:
        What `step` returns.

    Raises:
        Empty: The time is over.
    """
    until = math.inf if timeout is None else time.monotonic() + timeout
    while True:
        lock = threading.Lock()
        lock.acquire()
        leaving = True
        try:
            sleepers.append(lock)  # before the step, so that what comes after it is not missed
            try:
                return step()
            except Empty:
                wait = until - time.monotonic()
                if wait <= 0.0:
                    raise
            lock.acquire(timeout=min(wait, threading.TIMEOUT_MAX))
            leaving = False
        finally:
            try:
                sleepers.remove(lock)
            except ValueError:
                if leaving:  # somebody was sent to us in vain: send him on
                    rouse(sleepers)
