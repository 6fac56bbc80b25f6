"""Waiting in an event loop: the counterpart of `core.waiting` for coroutines.

A thread that waits for a queue puts a lock on one of its lists, and a coroutine puts a `CoroutineWaiter` there. The
store wakes both in the order of the list, and need not know about event loops.

Cancelling `attempt` is safe at each await. A coroutine that waits has taken nothing yet. If it was woken and then
cancelled, it wakes the next waiter in its place. The awaits inside `step` are the step's own affair.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from queue import Empty
from typing import TypeVar

from lightbroker.core.waiting import Waiters, wake

T = TypeVar("T")

_thread = threading.local()


class LoopWaker:
    """Wakes the waiters of one event loop, from any thread.

    In the thread of its loop, a waiter is woken at once. Other threads have to call into the loop. Such a call writes
    to a pipe, and the thread lets go of the GIL for it. So no thread makes a second call while the first is pending. It
    only adds its waiter to the queue that the pending call will empty.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._woken: deque[CoroutineWaiter] = deque()
        self._pending = False  # whether a call into the loop is on its way

    @staticmethod
    def current() -> "LoopWaker":
        """Return the waker of the running loop. A thread keeps the one that it used last."""
        loop = asyncio.get_running_loop()
        waker: LoopWaker | None = getattr(_thread, "waker", None)
        if waker is None or waker.loop is not loop:
            waker = _thread.waker = LoopWaker(loop)
        return waker

    def wake(self, waiter: "CoroutineWaiter") -> None:
        """Wake a waiter of this loop. If the loop is closed, wake the next waiter of another loop or thread instead."""
        if asyncio._get_running_loop() is self.loop and not self._woken:  # else it would overtake those in `_woken`
            waiter.resume()
            return
        self._woken.append(waiter)
        if self._pending:  # `_resume_woken` clears this mark before it reads `_woken`, so it will find the waiter
            return
        try:
            self._pending = True
            self.loop.call_soon_threadsafe(self._resume_woken)
        except RuntimeError:  # the loop is closed
            self._pending = False
            self._pass_on()
        except BaseException:  # Ctrl-C interrupts this thread; the waiters have to be woken all the same
            self._pending = False
            self.loop.call_soon_threadsafe(self._resume_woken)
            raise

    def _resume_woken(self) -> None:
        self._pending = False
        while self._woken:
            self._woken.popleft().resume()

    def _pass_on(self) -> None:
        """Take the waiters of this closed loop off their lists, and wake the next on each list."""
        with suppress(IndexError):
            while True:
                waiters = self._woken.popleft().waiters
                for other in waiters.copy():
                    if isinstance(other, CoroutineWaiter) and other.waker is self:
                        with suppress(ValueError):
                            waiters.remove(other)
                wake(waiters)


class CoroutineWaiter:
    """What a coroutine puts on the list of a queue; `core.waiting.wake` releases it as it releases a thread's lock."""

    __slots__ = ("_future", "waiters", "waker")

    def __init__(self, waiters: Waiters) -> None:
        self.waiters = waiters
        self.waker = LoopWaker.current()
        self._future: asyncio.Future[None] = self.waker.loop.create_future()

    def release(self) -> None:
        """Wake the coroutine; from any thread."""
        self.waker.wake(self)

    def resume(self) -> None:
        """Wake the coroutine; in the thread of its loop. Do nothing if it was woken or cancelled before."""
        if not self._future.done():
            self._future.set_result(None)

    def leave(self) -> bool:
        """Leave the list; return True if `wake` has taken this waiter off before, to wake it."""
        try:
            self.waiters.remove(self)
        except ValueError:
            return True
        return False

    async def wait(self, until: float | None) -> None:
        """Return when the coroutine is woken, or at `until` by the loop's clock (None: never)."""
        if until is None:
            await self._future
            return
        timer = self.waker.loop.call_at(until, self.resume)
        try:
            await self._future
        finally:
            timer.cancel()


async def attempt(waiters: Waiters, step: Callable[[], Awaitable[T]], timeout: float | None) -> T:
    """Await `step()` until it does not raise Empty, again each time that `wake` wakes this coroutine.

    Args:
        waiters: Where this coroutine waits to be woken.
        step: Tries once and raises Empty if that was in vain. Anything else that it raises is raised at once.
        timeout: Seconds after which to give up (None: never).

    Returns:
        What `step` returns.

    Raises:
        Empty: The time is over.
    """
    loop = asyncio.get_running_loop()
    until = None if timeout is None else loop.time() + timeout
    enlist = waiters.append
    woken = False  # whether this coroutine was woken and has not tried since
    waiter = CoroutineWaiter(waiters)
    try:
        while True:
            enlist(waiter)  # before the step, so that what becomes available after the step wakes this coroutine
            try:
                result = await step()
                woken = False
                return result
            except Empty:
                woken = False
                if until is not None and loop.time() >= until:
                    raise
            await waiter.wait(until)
            woken = waiter.leave()
            # If the next step is in vain because another waiter was faster, this coroutine keeps its turn.
            waiter, enlist = CoroutineWaiter(waiters), waiters.appendleft
    finally:
        for unused_wake in (waiter.leave(), woken):
            if unused_wake:  # it stands for something that the next waiter could take
                wake(waiters)
