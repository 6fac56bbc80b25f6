"""Waiting without a thread: the twin of `storage.waiting` for coroutines.

A coroutine hangs a `Waiter` where a thread would hang a lock, so a store wakes both in one order and knows of no event
loop. Every await is safe to be cancelled at: who is cancelled while it waits has taken nothing but perhaps the wake,
and hands that on.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from queue import Empty
from typing import TypeVar

from lightbroker.core.waiting import Sleepers, rouse

T = TypeVar("T")

_here = threading.local()


class Bell:
    """Wakes the coroutines of one event loop: at once in its own thread, else with one call for all who wake together.

    A call into a loop writes to a pipe, for which the thread lets go of the GIL; so while one is under way, those who
    are woken after it only join the queue that it will empty.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._woken: deque[Waiter] = deque()
        self._rung = False

    @staticmethod
    def here() -> "Bell":
        """That of the running loop; a thread keeps the one it used last."""
        loop = asyncio.get_running_loop()
        bell: Bell | None = getattr(_here, "bell", None)
        if bell is None or bell.loop is not loop:
            bell = _here.bell = Bell(loop)
        return bell

    def ring(self, waiter: "Waiter") -> None:
        """Wake the waiter; from any thread. If its loop is closed, its wake goes to the next who can use it."""
        if asyncio._get_running_loop() is self.loop and not self._woken:  # else it would overtake who was woken before
            waiter.wake()
            return
        self._woken.append(waiter)
        if self._rung:  # not answered yet: `_answer` takes the mark back before it looks who was woken
            return
        try:
            self._rung = True
            self.loop.call_soon_threadsafe(self._answer)
        except RuntimeError:  # the loop is closed
            self._rung = False
            self._bury()
        except BaseException:  # Ctrl-C in this thread concerns nobody who waits
            self._rung = False
            self.loop.call_soon_threadsafe(self._answer)
            raise

    def _answer(self) -> None:
        self._rung = False
        while self._woken:
            self._woken.popleft().wake()

    def _bury(self) -> None:
        with suppress(IndexError):
            while True:
                sleepers = self._woken.popleft().sleepers
                for sleeper in sleepers.copy():
                    if isinstance(sleeper, Waiter) and sleeper.bell is self:
                        with suppress(ValueError):
                            sleepers.remove(sleeper)
                rouse(sleepers)


class Waiter:
    """What a coroutine hangs up while it waits; `storage.waiting.rouse` releases it like a lock."""

    __slots__ = ("_future", "bell", "sleepers")

    def __init__(self, sleepers: Sleepers) -> None:
        self.sleepers = sleepers
        self.bell = Bell.here()
        self._future: asyncio.Future[None] = self.bell.loop.create_future()

    def release(self) -> None:
        """Let the coroutine try again; from any thread."""
        self.bell.ring(self)

    def wake(self) -> None:
        """The same, in the thread of its loop; who was woken or cancelled before stays so."""
        if not self._future.done():
            self._future.set_result(None)

    def leave(self) -> bool:
        """Take it off the list; whether somebody has done so, and it was or is just being released."""
        try:
            self.sleepers.remove(self)
        except ValueError:
            return True
        return False

    async def wait(self, until: float | None) -> None:
        """Return when released, or at `until` by the loop's clock."""
        if until is None:
            await self._future
            return
        timer = self.bell.loop.call_at(until, self.wake)
        try:
            await self._future
        finally:
            timer.cancel()


async def attempt(sleepers: Sleepers, step: Callable[[], Awaitable[T]], timeout: float | None) -> T:
    """Return what `step` returns, trying again each time that `rouse` says so, for `timeout` seconds (None: for ever).

    Raises what `step` raises: `Empty` when the time is over, anything else at once. Who was woken in vain, because
    another was faster, waits on at the head of the line.
    """
    loop = asyncio.get_running_loop()
    until = None if timeout is None else loop.time() + timeout
    hang_up = sleepers.append
    sent = False  # whether we were sent to try and have not yet
    waiter = Waiter(sleepers)
    try:
        while True:
            hang_up(waiter)  # before the step, so that what comes after it is not missed
            try:
                result = await step()
                sent = False
                return result
            except Empty:
                sent = False
                if until is not None and loop.time() >= until:
                    raise
            await waiter.wait(until)
            sent = waiter.leave()
            waiter, hang_up = Waiter(sleepers), sleepers.appendleft
    finally:
        for in_vain in (waiter.leave(), sent):
            if in_vain:  # there is one more that could go on
                rouse(sleepers)
