"""A pull that can be awaited for its delivery, or entered for its message."""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from queue import Empty
from types import TracebackType
from typing import Any

from lightbroker.aio.delivery import AsyncDelivery
from lightbroker.aio.stores import AsyncStore
from lightbroker.errors import LeaseLost
from lightbroker.message import Message


class AsyncPull(Coroutine[Any, Any, AsyncDelivery]):
    """A pull that has not begun: await it for the delivery, or enter it for the message; once.

    As an asynchronous context manager it acks on success; an exception nacks and goes on; cancellation and the like
    (what is not an `Exception`) release, because they say nothing against the message.
    """

    # Without __init__, which would cost as much as the rest of it; made by `AsyncQueue.pull`.
    __slots__ = ("_delivery", "_running", "store", "timeout")
    _delivery: AsyncDelivery
    _running: Generator[Any, Any, AsyncDelivery]
    store: AsyncStore
    timeout: float | None

    def __await__(self) -> Generator[Any, Any, AsyncDelivery]:
        try:
            pull = self.store.pull_now  # calling an attribute that is no method takes a look-up more
            return pull(0.0, AsyncDelivery)
        except Empty:
            pass
        return (yield from self.store.pull(self.timeout).__await__())

    async def __aenter__(self) -> Message:
        self._delivery = await self
        return self._delivery.message

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if error is None:
            await self._delivery.ack()
            return
        with suppress(LeaseLost):
            if isinstance(error, Exception):
                await self._delivery.nack(error)
            else:
                await self._delivery.release()

    # A coroutine by protocol, so that `asyncio.create_task` takes it.

    def send(self, value: Any) -> Any:
        """Begin, or go on, as a task does."""
        try:
            running = self._running
        except AttributeError:
            running = self._running = self.__await__()
        return running.send(value)

    def throw(self, *error: Any) -> Any:
        """Cancel, as a task does."""
        try:
            running = self._running
        except AttributeError:
            running = self._running = self.__await__()
        return running.throw(*error)

    def close(self) -> None:
        """Give up."""
        with suppress(AttributeError):
            self._running.close()


class FirstPull(AsyncPull):
    """A pull from a queue that is to be opened first; `open` gives the pull to go on with."""

    __slots__ = ("open",)
    open: Callable[[], Awaitable[AsyncPull]]

    def __await__(self) -> Generator[Any, Any, AsyncDelivery]:
        pull = yield from self.open().__await__()
        return (yield from pull.__await__())
