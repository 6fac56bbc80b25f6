"""A pull that has not begun yet. It can be awaited for its delivery, or entered for its message.

Cancelling either is safe. The pull has then taken no message, or has given it back with its attempts untouched.
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lightbroker.aio.delivery import AsyncDelivery
from lightbroker.core.errors import LeaseLost
from lightbroker.core.message import Message

if TYPE_CHECKING:
    _Base = Coroutine[Any, Any, AsyncDelivery]
else:  # asyncio knows a coroutine by its methods, and making an object of an abstract class takes longer
    _Base = object


class AsyncPull(_Base):
    """A pull that has not begun. Await it for the delivery, or enter it for the message; once.

        delivery = await queue.pull()
        async with queue.pull() as message: ...

    The end of the block acks. An exception nacks, and is passed on. A cancellation, or anything else that is not an
    `Exception`, releases, because it says nothing against the message.

    A pull is made by `AsyncQueue.pull` or `AsyncBroker.pull`. It can also be given to `asyncio.create_task`.
    """

    __slots__ = ()
    _held: AsyncDelivery | None

    def __await__(self) -> Generator[Any, Any, AsyncDelivery]:
        """Pull.

        Raises:
            RuntimeError: It was awaited or entered before.
        """
        raise NotImplementedError

    async def __aenter__(self) -> Message:
        self._held = delivery = await self
        return delivery.message

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held is not None:
            await settle(self._held, error)


class TaskPull(AsyncPull):
    """A pull that a task can run: it has the methods by which asyncio drives a coroutine."""

    __slots__ = ()
    _running: Generator[Any, Any, AsyncDelivery]

    def send(self, value: Any) -> Any:
        """Begin, or go on."""
        return self._run().send(value)

    def throw(self, *error: Any) -> Any:
        """Go on with an exception, such as a cancellation."""
        return self._run().throw(*error)

    def close(self) -> None:
        """Give up."""
        with suppress(AttributeError):  # it has not begun
            self._running.close()

    def _run(self) -> Generator[Any, Any, AsyncDelivery]:
        try:
            return self._running
        except AttributeError:
            self._running = self.__await__()
            return self._running


class LatePull(TaskPull):
    """A pull that calls a function with its time-out when it begins, and awaits the delivery that this returns."""

    __slots__ = ("_begin", "_held", "_running", "_timeout")

    def __init__(self, begin: Callable[[float | None], Awaitable[AsyncDelivery]], timeout: float | None) -> None:
        self._begin: Callable[[float | None], Awaitable[AsyncDelivery]] | None = begin
        self._timeout = timeout

    def __await__(self) -> Generator[Any, Any, AsyncDelivery]:
        begin, self._begin = self._begin, None
        if begin is None:
            raise awaited_twice()
        return (yield from begin(self._timeout).__await__())


def awaited_twice() -> RuntimeError:
    """Return the error for a pull that is awaited a second time."""
    return RuntimeError("a pull can be awaited only once; pull again for another message")


async def settle(delivery: AsyncDelivery, error: BaseException | None) -> None:
    """Settle the delivery of a block that `error` has ended (None: it has come to its end); see `AsyncPull`."""
    if error is None:
        await delivery.ack()
        return
    with suppress(LeaseLost):
        if isinstance(error, Exception):
            await delivery.nack(error)
        else:
            await delivery.release()
