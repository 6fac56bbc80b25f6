"""A pull that can be awaited for its delivery, or entered for its message."""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from queue import Empty
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lightbroker.aio.delivery import AsyncDelivery
from lightbroker.aio.stores import AsyncStore
from lightbroker.core.errors import LeaseLost
from lightbroker.core.message import Message


async def settle(delivery: AsyncDelivery, error: BaseException | None) -> None:
    """Settle at the end of a block that `error` ended, if anything did: see `AsyncPull`."""
    if error is None:
        await delivery.ack()
        return
    with suppress(LeaseLost):
        if isinstance(error, Exception):
            await delivery.nack(error)
        else:
            await delivery.release()


if TYPE_CHECKING:
    _Base = Coroutine[Any, Any, AsyncDelivery]
else:  # asyncio knows a coroutine by its methods, and an object of an abstract class takes longer to make
    _Base = object


class AsyncPull(_Base):
    """A pull that has not begun: await it for the delivery, or enter it for the message; once.

    As an asynchronous context manager it acks on success; an exception nacks and goes on; cancellation and the like
    (what is not an `Exception`) release, because they say nothing against the message.
    """

    # Without __init__, which would cost as much as the rest of it; made by `AsyncQueue.pull`.
    __slots__ = ()
    _held: AsyncDelivery | None
    _running: Generator[Any, Any, AsyncDelivery]

    def __await__(self) -> Generator[Any, Any, AsyncDelivery]:
        """Pull; raises RuntimeError the second time."""
        raise NotImplementedError

    async def __aenter__(self) -> Message:
        self._held = delivery = await self
        return delivery.message

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held is not None:
            await settle(self._held, error)

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


def again() -> RuntimeError:
    """For a pull that is awaited a second time."""
    return RuntimeError("a pull can be awaited only once; pull again for another message")


class StorePull(AsyncPull):
    """A pull from a queue in any store."""

    __slots__ = ("_held", "_running", "store", "timeout")
    store: AsyncStore | None
    timeout: float | None

    def __await__(self) -> Generator[Any, Any, AsyncDelivery]:
        store, self.store = self.store, None
        if store is None:
            raise again()
        with suppress(Empty):
            return store.pull_now(0.0, AsyncDelivery)
        return (yield from store.pull(self.timeout).__await__())


class FirstPull(AsyncPull):
    """A pull from a queue that is to be opened first; `open` gives the pull to go on with."""

    __slots__ = ("_held", "_running", "open")
    open: Callable[[], Awaitable[AsyncPull]] | None

    def __await__(self) -> Generator[Any, Any, AsyncDelivery]:
        open_queue, self.open = self.open, None
        if open_queue is None:
            raise again()
        pull = yield from open_queue().__await__()
        return (yield from pull.__await__())
