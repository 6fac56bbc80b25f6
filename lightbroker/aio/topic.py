"""Publish/subscribe for coroutines: they are suspended where a thread would block.

A subscriber takes a message in the step in which its coroutine goes on with it, so a cancelled read took none. A
publisher that is cancelled while it waits for room has already served every subscriber that does not make it wait.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import suppress
from queue import Empty
from types import TracebackType
from typing import Any

from lightbroker.aio.lazy import LazyBroker
from lightbroker.aio.waiting import attempt
from lightbroker.core.broker import Broker
from lightbroker.core.errors import QueueClosed, QueueEmpty, QueueFull
from lightbroker.core.message import Message
from lightbroker.core.queue import check_timeout
from lightbroker.core.stats import SubscriptionStats
from lightbroker.core.topic.buffer import Buffer
from lightbroker.core.topic.subscription import Subscription


class AsyncSubscription:
    """What one subscriber has yet to read: `async for message in subscription`, or `await subscription.get()`.

    Made by `AsyncBroker.subscribe`. It listens from the moment in which it is awaited, entered as a context, or first
    read. If that await is cancelled, or the entering, the subscription is closed. If a read is cancelled, it took no
    message, and the subscription stays open.

    Attributes:
        pattern: The topics that it listens to.
        group: The group whose members share its messages, or None.
    """

    def __init__(
        self, pattern: str, group: str | None, broker: LazyBroker, subscribe: Callable[[Broker], Subscription]
    ) -> None:
        self.pattern = pattern
        self.group = group
        self._broker = broker
        self._subscribe = subscribe
        self._lock = threading.Lock()  # two coroutines may begin at once, in two threads; one of them subscribes
        self._subscription: Subscription | None = None
        self._closed = False

    def _begin(self, broker: Broker) -> Subscription:
        with self._lock:
            if self._closed:
                raise QueueClosed(f"the subscription to {self.pattern!r} is closed")
            if self._subscription is None:
                self._subscription = self._subscribe(broker)
            return self._subscription

    def _end(self, _: Broker | None = None) -> None:
        with self._lock:
            self._closed = True
            if self._subscription is not None:
                self._subscription.close()

    async def _opened(self) -> "AsyncSubscription":
        if self._subscription is None or self._closed:
            try:
                await self._broker.call(self._begin)
            except asyncio.CancelledError:  # a thread may have subscribed all the same, and nobody else would close it
                with suppress(QueueClosed):
                    self._broker.executor.submit(self._end)
                raise
        return self

    def __await__(self) -> Generator[Any, Any, "AsyncSubscription"]:
        return self._opened().__await__()

    async def __aenter__(self) -> "AsyncSubscription":
        return await self

    @property
    def dropped(self) -> int:
        """How many messages the overflow policy has dropped from this buffer."""
        return self.stats().dropped

    async def get(self, timeout: float | None = None) -> Message:
        """Return the next message.

        Args:
            timeout: Seconds to wait for it; 0 does not wait, None waits for ever.

        Raises:
            QueueEmpty: There was none in time.
            QueueClosed: The subscription is closed.
        """
        timeout = check_timeout(timeout)
        subscription = self._subscription
        if subscription is None:
            subscription = await self._broker.call(self._begin)

        async def take() -> Message:
            return subscription.take()

        try:
            return subscription.take()
        except Empty:
            try:
                return await attempt(subscription.buffer.pullers, take, timeout)
            except Empty:
                raise QueueEmpty(f"subscription {self.pattern!r} had no message within {timeout or 0.0:g} s") from None

    async def __aiter__(self) -> AsyncIterator[Message]:
        """Yield every message until the subscription is closed."""
        while True:
            try:
                message = await self.get()
            except QueueClosed:
                return
            yield message

    def stats(self) -> SubscriptionStats:
        """Return how much is buffered, and what happened to the rest.

        Raises:
            QueueClosed: It does not listen yet.
        """
        if self._subscription is None:
            raise QueueClosed(f"the subscription to {self.pattern!r} does not listen yet; await it first")
        return self._subscription.stats()

    async def close(self) -> None:
        """Stop listening. What is buffered is given up, unless the group has other members to read it."""
        await self._broker.call(self._end)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.close()


async def push_when_room(message: Message, buffer: Buffer) -> bool:
    """Push to a subscriber's buffer whose policy is BLOCK.

    Cancelled while it waits for room, it has pushed nothing.

    Returns:
        Whether the buffer took the message before it was closed.
    """

    async def push() -> bool:
        return buffer.push_now(message, 0.0)

    with suppress(QueueFull, QueueClosed):
        return await attempt(buffer.pushers, push, None)
    return False
