"""A queue in a store that does I/O: it is called in threads, so that no call blocks an event loop.

An SQLite file is called in one thread, because only one caller at a time can write to it. Redis is called in a few
threads, so that several calls can wait for the network at the same time. A coroutine that waits for a message or for
room needs no thread. `docs/decisions/redis-from-coroutines.md` says what the threads cost.

Each await is safe to cancel. If its call has not begun in a thread, it never begins. A call that has begun is finished:

- A push has accepted its messages or not, as if it had been cancelled a moment later or earlier.
- A pull releases what it has leased, with the attempts untouched.
- An ack, nack, release, reject or extend is never cancelled, even if it has not begun: its message is settled.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar, cast

from lightbroker.aio.delivery import AsyncDelivery
from lightbroker.aio.store import AsyncStoredQueue
from lightbroker.core.errors import BrokerError, QueueClosed
from lightbroker.core.message import Delivery
from lightbroker.core.queue import Queue
from lightbroker.core.store import Waitable

P = ParamSpec("P")
T = TypeVar("T")


class StoreExecutor:
    """The threads in which an `AsyncBroker` calls its store. Each is started when there is work for it."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, "lightbroker-store")

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Call a function when a thread is free; raises QueueClosed if the executor is closed."""
        try:
            return self._pool.submit(function, *args, **kwargs)
        except RuntimeError:
            raise QueueClosed("the broker is closed") from None

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in a thread and return what it returns."""
        return await asyncio.wrap_future(self.submit(function, *args, **kwargs))

    def close(self) -> None:
        """Take nothing new, and return when everything that was submitted is done."""
        self._pool.shutdown()


class ThreadedDelivery(AsyncDelivery):
    """A delivery that a thread has pulled, as the coroutine holds it."""

    __slots__ = ("pulled",)

    def __init__(self, pulled: Delivery, settler: "ThreadedStoredQueue") -> None:
        self.pulled = pulled
        self.message = pulled.message
        self.deadline = pulled.deadline
        self._receipt = pulled.receipt
        self.stored = settler


class ThreadedStoredQueue(AsyncStoredQueue):
    """A queue in any `Waitable` store. It is also the settler of its deliveries."""

    def __init__(self, queue: Queue, wrapped: Waitable, executor: StoreExecutor) -> None:
        super().__init__(queue, wrapped)
        self._executor = executor

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in a thread."""
        return await self._executor.call(function, *args, **kwargs)

    async def lease(self, most: int, last: bool = False) -> list[AsyncDelivery]:
        """Lease in a thread. If the coroutine is cancelled meanwhile, what was leased for it is given back.

        The thread may have leased messages just when the coroutine is cancelled. So there is one token. Whoever pops it
        decides: the thread delivers, or the cancelled coroutine gives the messages back. `deque.pop` is atomic, so
        exactly one of them gets the token:

        - The thread popped it, and the coroutine is cancelled before it sees the result: the coroutine finds no token,
          and releases what the thread delivers.
        - The coroutine popped it: the thread finds no token, and releases what it has leased.
        """
        token = deque((True,))
        job = self._executor.submit(self._lease_for, token, most, last)
        try:
            pulled = await asyncio.wrap_future(job)
        except asyncio.CancelledError:
            try:
                token.pop()
            except IndexError:
                job.add_done_callback(self._give_back)
            raise
        return [ThreadedDelivery(delivery, self) for delivery in pulled]

    def _lease_for(self, token: "deque[bool]", most: int, last: bool) -> list[Delivery]:
        pulled = self._wrapped.lease(most, last)
        try:
            token.pop()
        except IndexError:
            self._release(pulled)
        return pulled

    def _give_back(self, job: "Future[list[Delivery]]") -> None:
        if not job.cancelled() and job.exception() is None:
            with suppress(QueueClosed):  # the store is closed, and the lease will run out
                self._executor.submit(self._release, job.result())

    @staticmethod
    def _release(deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            with suppress(BrokerError):  # the lease will run out
                delivery.release()

    def renew(self, delivery: AsyncDelivery) -> None:
        """Extend in the thread that calls."""
        assert isinstance(delivery, ThreadedDelivery)
        delivery.pulled.extend(self._options.lease)
        delivery.deadline = delivery.pulled.deadline

    async def ack_many(self, deliveries: Iterable[AsyncDelivery]) -> None:
        """Ack in a thread."""
        # A delivery of another store is passed on as it is: this store finds no such lease, and counts it as lost.
        pulled = [delivery.pulled if isinstance(delivery, ThreadedDelivery) else delivery for delivery in deliveries]
        await self._settle(self._wrapped.ack_many, cast("list[Delivery]", pulled))

    def ack(self, delivery: ThreadedDelivery) -> Awaitable[None]:
        """LEASED -> acked."""
        return self._settle(self._wrapped.ack, delivery.pulled)

    def nack(self, delivery: ThreadedDelivery, error: str, trace: str, delay: float | None) -> Awaitable[None]:
        """LEASED -> DEAD, DELAYED or READY."""
        return self._settle(self._wrapped.nack, delivery.pulled, error, trace, delay)

    def release(self, delivery: ThreadedDelivery) -> Awaitable[None]:
        """LEASED -> READY."""
        return self._settle(self._wrapped.release, delivery.pulled)

    def reject(self, delivery: ThreadedDelivery, reason: str) -> Awaitable[None]:
        """LEASED -> DEAD."""
        return self._settle(self._wrapped.reject, delivery.pulled, reason)

    async def extend(self, delivery: ThreadedDelivery, seconds: float) -> None:
        """LEASED, the deadline later."""
        await self._settle(self._wrapped.extend, delivery.pulled, seconds)
        delivery.deadline = delivery.pulled.deadline

    async def _settle(self, function: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Call a function in a thread. `shield` keeps a cancellation of the coroutine from the call."""
        await asyncio.shield(asyncio.wrap_future(self._executor.submit(function, *args, **kwargs)))
