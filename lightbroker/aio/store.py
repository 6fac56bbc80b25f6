"""A queue in a store, as coroutines call it: the counterpart of `core.store.StoredQueue`.

What becomes of a message is decided by the store alone. The classes here only choose where its methods are called, so
that they cannot block the event loop: `DirectStoredQueue` calls the store in memory in the coroutine's own step, and
`threaded.ThreadedStoredQueue` calls any other store in a thread.

A coroutine that waits for a message or for room is suspended in `waiting.attempt`, and cancelling it there is safe.
Cancelling a call in a thread is another matter; see `threaded`.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from queue import Empty
from typing import ParamSpec, TypeVar

from lightbroker.aio.delivery import AsyncDelivery
from lightbroker.aio.waiting import attempt
from lightbroker.core import errors
from lightbroker.core.memory.queue import MemoryQueue
from lightbroker.core.message import Message
from lightbroker.core.policy import Overflow
from lightbroker.core.queue import Queue
from lightbroker.core.store import Waitable, naming_accepted

P = ParamSpec("P")
T = TypeVar("T")


class AsyncStoredQueue:
    """A queue in a store, for coroutines. See `StoredQueue` and `Waitable` for what each method promises."""

    def __init__(self, queue: Queue, wrapped: Waitable) -> None:
        self._name = queue.name
        self._options = queue.options
        self._wrapped = wrapped

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that may do I/O, and return what it returns."""
        raise NotImplementedError

    async def lease(self, most: int, last: bool = False) -> list[AsyncDelivery]:
        """Lease up to `most` READY messages; raises Empty if there is none."""
        raise NotImplementedError

    async def ack_many(self, deliveries: Iterable[AsyncDelivery]) -> None:
        """Ack all whose lease holds, then raise LeaseLost if there were others."""
        raise NotImplementedError

    def renew(self, delivery: AsyncDelivery) -> None:
        """Extend a lease by its whole length, in the thread that calls, which may block."""
        raise NotImplementedError

    async def push(self, message: Message, timeout: float | None, delay: float) -> bool:
        """Accept one message."""
        return (await self.push_many((message,), timeout, delay))[0]

    async def push_many(self, messages: Sequence[Message], timeout: float | None, delay: float) -> list[bool]:
        """Accept messages in order; `core.store.push_all` for coroutines."""
        taken: list[bool] = []
        enter = partial(self.call, self._wrapped.enter, messages, taken, delay)
        with naming_accepted(messages, taken):
            if self._options.overflow is Overflow.BLOCK and timeout != 0.0:
                with suppress(Empty):
                    await attempt(self._wrapped.pushers, enter, timeout)
            if len(taken) < len(messages):
                await self.call(self._wrapped.enter, messages, taken, delay, last=True)
        return taken

    async def pull(self, timeout: float | None) -> AsyncDelivery:
        """Lease the message that has been READY longest."""
        return (await self.pull_many(1, timeout))[0]

    async def pull_many(self, most: int, timeout: float | None) -> list[AsyncDelivery]:
        """Wait for one message, then take what else is READY; `core.store.pull_some` for coroutines."""
        try:
            if timeout == 0.0:
                return await self.lease(most, last=True)
            return await attempt(self._wrapped.pullers, partial(self.lease, most), timeout)
        except Empty:
            raise errors.empty(self._name, timeout) from None


class DirectStoredQueue(AsyncStoredQueue):
    """A queue in memory, called in the coroutine's own step.

    A message is taken in the step in which the coroutine goes on with it. So no cancellation can hit between the two.
    """

    _wrapped: MemoryQueue

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that does no I/O."""
        return function(*args, **kwargs)

    async def lease(self, most: int, last: bool = False) -> list[AsyncDelivery]:
        """Lease at once."""
        return self._wrapped.pull_many(most, 0.0, AsyncDelivery)

    async def ack_many(self, deliveries: Iterable[AsyncDelivery]) -> None:
        """Ack at once."""
        self._wrapped.ack_many(deliveries)

    def renew(self, delivery: AsyncDelivery) -> None:
        """Extend at once."""
        self._wrapped.extend(delivery, self._options.lease)

    async def push(self, message: Message, timeout: float | None, delay: float) -> bool:
        """Accept one message, mostly without the calls that waiting for room takes."""
        try:
            return self._wrapped.push_now(message, delay)
        except Empty:
            pass
        return await super().push(message, timeout, delay)

    async def pull(self, timeout: float | None) -> AsyncDelivery:
        """Lease one message, mostly without the calls that waiting for it takes."""
        try:
            return self._wrapped.pull(0.0, AsyncDelivery)
        except Empty:
            pass
        return await super().pull(timeout)
