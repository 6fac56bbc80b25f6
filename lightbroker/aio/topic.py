"""Publish/subscribe for coroutines: they are suspended where a thread would block."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import suppress
from queue import Empty
from types import TracebackType
from typing import Any

from lightbroker.aio.threaded import Desk
from lightbroker.aio.waiting import attempt
from lightbroker.core.broker import Broker
from lightbroker.core.errors import QueueClosed, QueueEmpty, QueueFull
from lightbroker.core.message import Message
from lightbroker.core.queue import check_timeout
from lightbroker.core.stats import SubscriptionStats
from lightbroker.core.topic.buffer import Buffer
from lightbroker.core.topic.subscription import Subscription

#: Calls what may block with the broker, and awaits what it returns.
Call = Callable[[Callable[[Broker], Any]], Awaitable[Any]]


class AsyncSubscription:
    """The twin of a `Subscription`: `async for message in subscription`, or `await subscription.get()`.

    Made by `AsyncBroker.subscribe`. It listens from the moment in which it is awaited, entered as a context, or first
    read. A message is taken in the step in which the coroutine goes on with it, so one that is cancelled took none.
    Cancelled while it is awaited or entered for the first time, it is closed; a read that is cancelled leaves it open.
    """

    def __init__(
        self, pattern: str, group: str | None, desk: Desk, call: Call, subscribe: Callable[[Broker], Subscription]
    ) -> None:
        self.pattern = pattern
        self.group = group
        self._desk = desk
        self._call = call
        self._subscribe = subscribe
        self._lock = threading.Lock()  # of two that begin at once, one subscribes
        self._threads: Subscription | None = None
        self._closed = False

    def _begin(self, broker: Broker) -> Subscription:
        with self._lock:
            if self._closed:
                raise QueueClosed(f"the subscription to {self.pattern!r} is closed")
            if self._threads is None:
                self._threads = self._subscribe(broker)
            return self._threads

    def _end(self, _: Broker | None = None) -> None:
        with self._lock:
            self._closed = True
            if self._threads is not None:
                self._threads.close()

    async def _opened(self) -> "AsyncSubscription":
        if self._threads is None or self._closed:
            try:
                await self._call(self._begin)
            except asyncio.CancelledError:  # it may have begun all the same, and then nobody would ever close it
                with suppress(QueueClosed):
                    self._desk.submit(self._end)
                raise
        return self

    def __await__(self) -> Generator[Any, Any, "AsyncSubscription"]:
        return self._opened().__await__()

    async def __aenter__(self) -> "AsyncSubscription":
        return await self

    @property
    def dropped(self) -> int:
        """Messages that the overflow policy dropped from this buffer."""
        return self.stats().dropped

    async def get(self, timeout: float | None = None) -> Message:
        """The next message, within `timeout` seconds (0: at once, None: for ever).

        Raises QueueEmpty, or QueueClosed once the subscription is closed.
        """
        timeout = check_timeout(timeout)
        threads = self._threads or await self._call(self._begin)

        async def step() -> Message:
            return threads.take()

        try:
            return threads.take()
        except Empty:
            try:
                return await attempt(threads.buffer.pullers, step, timeout)
            except Empty:
                raise QueueEmpty(f"subscription {self.pattern!r} had no message within {timeout or 0.0:g} s") from None

    async def __aiter__(self) -> AsyncIterator[Message]:
        """Every message until the subscription is closed."""
        while True:
            try:
                message = await self.get()
            except QueueClosed:
                return
            yield message

    def stats(self) -> SubscriptionStats:
        """What is buffered, and what happened to the rest; raises QueueClosed if it does not listen yet."""
        if self._threads is None:
            raise QueueClosed(f"the subscription to {self.pattern!r} does not listen yet; await it first")
        return self._threads.stats()

    async def close(self) -> None:
        """Stop receiving; what is buffered is given up, unless other members of the group are left to read it."""
        await self._call(self._end)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.close()


async def offer(message: Message, buffer: Buffer) -> bool:
    """Push to a buffer whose policy is BLOCK, waiting for room; whether it took it before it was closed."""

    async def step() -> bool:
        return buffer.push_now(message, 0.0)

    with suppress(QueueFull, QueueClosed):
        return await attempt(buffer.pushers, step, None)
    return False
