"""A store that does I/O, for coroutines: its calls are made in threads, so that none blocks an event loop.

That is one thread for an SQLite file, which can be written by one at a time anyway, and a few for Redis, where they
wait for the network together. Who waits for a message or for room waits in the loop and needs none of them.

The awaits, and why cancelling at them is safe: a push or pull that has not begun when its coroutine is cancelled never
does. One that has begun goes on to its end: a push was accepted or not, as if it had been cancelled a moment later or
earlier, and what a pull has leased is released, its attempts untouched. What settles a message is never taken back.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar, cast

from lightbroker.aio.delivery import AsyncDelivery
from lightbroker.aio.stores import AsyncStore
from lightbroker.core.errors import BrokerError, QueueClosed
from lightbroker.core.message import Delivery
from lightbroker.core.queue import Queue
from lightbroker.core.store import Waitable

P = ParamSpec("P")
T = TypeVar("T")


class Desk:
    """The threads in which an `AsyncBroker` calls its store; they are started when there is something to do."""

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, "lightbroker-store")

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Call it when a thread is free; raises QueueClosed if the desk is closed."""
        try:
            return self._executor.submit(function, *args, **kwargs)
        except RuntimeError:
            raise QueueClosed("the broker is closed") from None

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call it and wait for what it returns."""
        return await asyncio.wrap_future(self.submit(function, *args, **kwargs))

    def close(self) -> None:
        """Take nothing new, and return when what was submitted is done."""
        self._executor.shutdown()


class ThreadedDelivery(AsyncDelivery):
    """What the coroutine holds of a delivery that the store's thread made."""

    __slots__ = ("inner",)

    def __init__(self, inner: Delivery, store: "ThreadedStore") -> None:
        self.inner = inner
        self.message = inner.message
        self.deadline = inner.deadline
        self._receipt = inner.receipt
        self.store = store


class ThreadedStore(AsyncStore):
    """A queue of any store at which one can wait without a thread. It is also the settler of its deliveries."""

    def __init__(self, queue: Queue, store: Waitable, desk: Desk) -> None:
        super().__init__(queue, store)
        self._desk = desk
        self.call = desk.call  # type: ignore[method-assign]

    async def lease(self, most: int, *, waiting: bool) -> list[AsyncDelivery]:
        """Pull at the desk; who is cancelled meanwhile has what was leased for him given back."""
        mine = deque((True,))  # who takes it first has the say: the thread that it delivers, the coroutine that it left
        job = self._desk.submit(self._lease_for, mine, most, waiting)
        try:
            found = await asyncio.wrap_future(job)
        except asyncio.CancelledError:
            try:
                mine.pop()
            except IndexError:
                job.add_done_callback(self._give_back)
            raise
        return [ThreadedDelivery(delivery, self) for delivery in found]

    def _lease_for(self, mine: "deque[bool]", most: int, waiting: bool) -> list[Delivery]:
        found = self._queue.lease(most, last=not waiting)
        try:
            mine.pop()
        except IndexError:
            self._release(found)
        return found

    def _give_back(self, job: "Future[list[Delivery]]") -> None:
        if not job.cancelled() and job.exception() is None:
            with suppress(QueueClosed):  # the store is gone, and the lease will run out
                self._desk.submit(self._release, job.result())

    @staticmethod
    def _release(deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            with suppress(BrokerError):  # the lease will run out
                delivery.release()

    def keep(self, delivery: AsyncDelivery) -> None:
        """Extend in the thread that calls."""
        assert isinstance(delivery, ThreadedDelivery)
        delivery.inner.extend(self._options.lease)
        delivery.deadline = delivery.inner.deadline

    async def ack_many(self, deliveries: Iterable[AsyncDelivery]) -> None:
        """Ack at the desk."""
        # One of another store is passed on as it is: this store will find no lease of its own and count it as lost.
        known = [delivery.inner if isinstance(delivery, ThreadedDelivery) else delivery for delivery in deliveries]
        await self._settle(self._queue.ack_many, cast("list[Delivery]", known))

    def ack(self, delivery: ThreadedDelivery) -> Awaitable[None]:
        """LEASED -> acked."""
        return self._settle(self._queue.ack, delivery.inner)

    def nack(self, delivery: ThreadedDelivery, error: str, trace: str, delay: float | None) -> Awaitable[None]:
        """LEASED -> DEAD, DELAYED or READY."""
        return self._settle(self._queue.nack, delivery.inner, error, trace, delay)

    def release(self, delivery: ThreadedDelivery) -> Awaitable[None]:
        """LEASED -> READY."""
        return self._settle(self._queue.release, delivery.inner)

    def reject(self, delivery: ThreadedDelivery, reason: str) -> Awaitable[None]:
        """LEASED -> DEAD."""
        return self._settle(self._queue.reject, delivery.inner, reason)

    async def extend(self, delivery: ThreadedDelivery, seconds: float) -> None:
        """LEASED, the deadline later."""
        await self._settle(self._queue.extend, delivery.inner, seconds)
        delivery.deadline = delivery.inner.deadline

    async def _settle(self, function: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        await asyncio.shield(asyncio.wrap_future(self._desk.submit(function, *args, **kwargs)))
