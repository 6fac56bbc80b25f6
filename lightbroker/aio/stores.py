"""One queue of a store, for coroutines: its own transitions, made where they cannot block the event loop.

Nothing here decides what becomes of a message: that is the store's alone. `DirectStore` calls a queue in memory in the
coroutine's own step, as its transitions never block; `ThreadedStore` calls any other in a thread. Both wait in
`waiting.attempt`.
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


class AsyncStore:
    """What both have in common: the waiting. See `QueueStore` for what each method promises."""

    def __init__(self, queue: Queue, store: Waitable) -> None:
        self._name = queue.name
        self._options = queue.options
        self._queue = store

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what may block, and return what it does."""
        raise NotImplementedError

    async def lease(self, most: int, *, waiting: bool) -> list[AsyncDelivery]:
        """Pull what is ready, `most` messages at most; raises Empty if there is none. `waiting`: see `Waitable`."""
        raise NotImplementedError

    def push_now(self, message: Message, delay: float) -> bool:
        """Push without waiting for anything; raises Empty if that cannot be."""
        raise Empty

    def pull_now(self, timeout: float, kind: type[AsyncDelivery]) -> AsyncDelivery:
        """Pull without waiting for anything; raises Empty if that cannot be."""
        raise Empty

    async def ack_many(self, deliveries: Iterable[AsyncDelivery]) -> None:
        """Ack all whose lease holds, then raise LeaseLost if there were others."""
        raise NotImplementedError

    def keep(self, delivery: AsyncDelivery) -> None:
        """Extend the lease by its length, at once; from a thread that may block."""
        raise NotImplementedError

    async def push(self, message: Message, timeout: float | None, delay: float) -> bool:
        """Accept the message."""
        return (await self.push_many((message,), timeout, delay))[0]

    async def push_many(self, messages: Sequence[Message], timeout: float | None, delay: float) -> list[bool]:
        """Accept them in order."""
        taken: list[bool] = []
        enter = partial(self.call, self._queue.enter, messages, taken, delay)
        with naming_accepted(messages, taken):
            if self._options.overflow is Overflow.BLOCK and timeout != 0.0:
                with suppress(Empty):
                    await attempt(self._queue.pushers, enter, timeout)
            if len(taken) < len(messages):
                await self.call(self._queue.enter, messages, taken, delay, last=True)
        return taken

    async def pull(self, timeout: float | None) -> AsyncDelivery:
        """Lease the message that has been ready longest."""
        return (await self.pull_many(1, timeout))[0]

    async def pull_many(self, most: int, timeout: float | None) -> list[AsyncDelivery]:
        """Wait for one, then take what else is ready."""
        try:
            if timeout == 0.0:
                return await self.lease(most, waiting=False)
            return await attempt(self._queue.pullers, partial(self.lease, most, waiting=True), timeout)
        except Empty:
            raise errors.empty(self._name, timeout) from None


class DirectStore(AsyncStore):
    """A queue in memory. A coroutine takes a message in the same step in which it returns from the pull.

    So there is no moment at which cancelling it could find a message that was taken and not yet handed over.
    """

    def __init__(self, queue: Queue, store: MemoryQueue) -> None:
        super().__init__(queue, store)
        self._memory = store
        # Not methods that call them, but the bound methods themselves: this is the hot path.
        self.push_now = store.push_now  # type: ignore[method-assign]
        self.pull_now = store.pull  # type: ignore[method-assign]

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call it at once."""
        return function(*args, **kwargs)

    async def lease(self, most: int, *, waiting: bool) -> list[AsyncDelivery]:
        """Pull at once."""
        return self._memory.pull_many(most, 0.0, AsyncDelivery)

    async def ack_many(self, deliveries: Iterable[AsyncDelivery]) -> None:
        """Ack at once."""
        self._memory.ack_many(deliveries)

    def keep(self, delivery: AsyncDelivery) -> None:
        """Extend at once."""
        self._memory.extend(delivery, self._options.lease)
