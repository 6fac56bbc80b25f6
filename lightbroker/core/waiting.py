"""Waiting with a time-out, for threads.

`SimpleQueue.get(timeout=…)` cannot be used for this. Up to CPython 3.12, a thread that is woken, finds that another
thread was faster, and has no time left, goes on to wait without a limit. So each thread that waits puts a lock of its
own on a list, and then tries to acquire it a second time. A thread that makes room, or a message ready, takes the first
lock off the list and releases it. A coroutine puts something on the list that looks like such a lock; see
`lightbroker.aio.waiting`.
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


class Waiter(Protocol):
    """What a waiter puts on the list: an acquired lock, or something like it."""

    def release(self) -> None:
        """Let the waiter try again; called at most once, from any thread."""


#: The waiters, the longest first. append, popleft, remove and the look whether there is any are each atomic.
Waiters = deque[Waiter]

_release = methodcaller("release")


def wake(waiters: Waiters, most: int = 1) -> None:
    """Let up to `most` waiters try again, the longest first.

    It is one call into C, so nobody is taken off the list without being woken.
    """
    with suppress(IndexError):
        deque(map(_release, map(deque.popleft, repeat(waiters, most))), maxlen=0)


def attempt(waiters: Waiters, step: Callable[[], T], timeout: float | None) -> T:
    """Call `step` until it does not raise Empty, again each time that `wake` wakes this thread.

    Args:
        waiters: Where this thread waits to be woken.
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
            waiters.append(lock)  # before the step, so that a wake that follows the step is not missed
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
                waiters.remove(lock)
            except ValueError:
                if leaving:  # we were woken but no longer wait: pass the wake on
                    wake(waiters)
