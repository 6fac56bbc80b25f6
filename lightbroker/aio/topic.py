"""Publish/subscribe for coroutines: they are suspended where a thread would block."""

from collections.abc import AsyncIterator
from contextlib import suppress
from queue import Empty
from types import TracebackType

from lightbroker.aio.waiting import attempt
from lightbroker.errors import QueueClosed, QueueEmpty, QueueFull
from lightbroker.message import Message
from lightbroker.queue import check_timeout
from lightbroker.storage.memory import MemoryQueue
from lightbroker.topic import Subscription, SubscriptionStats


class AsyncSubscription:
    """The twin of a `Subscription`: `async for message in subscription`, or `await subscription.get()`.

    Made by `AsyncBroker.subscribe`. A message is taken in the step in which the coroutine goes on with it, so one that
    is cancelled has taken none.
    """

    def __init__(self, threads: Subscription) -> None:
        self.pattern = threads.pattern
        self.group = threads.group
        self._threads = threads

    @property
    def dropped(self) -> int:
        """Messages that the overflow policy dropped from this buffer."""
        return self._threads.dropped

    async def get(self, timeout: float | None = None) -> Message:
        """The next message, within `timeout` seconds (0: at once, None: for ever).

        Raises QueueEmpty, or QueueClosed once the subscription is closed.
        """
        timeout = check_timeout(timeout)
        with suppress(Empty):
            return self._threads.take()
        try:
            return await attempt(self._threads.buffer.pullers, self._take, timeout)
        except Empty:
            raise QueueEmpty(f"subscription {self.pattern!r} had no message within {timeout or 0.0:g} s") from None

    async def _take(self) -> Message:
        return self._threads.take()

    async def __aiter__(self) -> AsyncIterator[Message]:
        """Every message until the subscription is closed."""
        while True:
            try:
                message = await self.get()
            except QueueClosed:
                return
            yield message

    def stats(self) -> SubscriptionStats:
        """What is buffered, and what happened to the rest."""
        return self._threads.stats()

    def close(self) -> None:
        """Stop receiving; what is buffered is given up, unless other members of the group are left to read it."""
        self._threads.close()

    async def __aenter__(self) -> "AsyncSubscription":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()


async def offer(message: Message, buffer: MemoryQueue) -> bool:
    """Push to a buffer whose policy is BLOCK, waiting for room; whether it took it before it was closed."""

    async def step() -> bool:
        return buffer.push_now(message, 0.0)

    with suppress(QueueFull, QueueClosed):
        return await attempt(buffer.pushers, step, None)
    return False
