"""A queue for coroutines: the verbs of `lightbroker.core.queue`, to be awaited."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from queue import Empty
from typing import Concatenate, ParamSpec, TypeVar

from lightbroker.aio.delivery import AsyncDelivery
from lightbroker.aio.pull import AsyncPull, StorePull
from lightbroker.aio.stores import AsyncStore
from lightbroker.core.errors import check_count, check_each, check_number
from lightbroker.core.message import DeadLetter
from lightbroker.core.queue import DeadLetterQueue, Queue, check_timeout
from lightbroker.core.stats import QueueStats

P = ParamSpec("P")
T = TypeVar("T")


class AsyncQueue:
    """The twin of a `Queue`: the same messages, in the same order, for the coroutines of any event loop.

    threads: the queue that it is the twin of, for use by threads. Made by `AsyncBroker.queue`.
    """

    def __init__(self, threads: Queue, store: AsyncStore) -> None:
        self.name = threads.name
        self.options = threads.options
        self.threads = threads
        self.store = store
        self.dead_letters = AsyncDeadLetterQueue(self._opened)
        self._form = threads.form
        self._push_now = store.push_now

    async def push(
        self,
        body: object,
        *,
        timeout: float | None = None,
        delay: float = 0.0,
        ttl: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str | None:
        """Accept one message; see `Queue.push`. A full queue whose policy is BLOCK suspends the coroutine.

        Cancelled while it is suspended, the message was not accepted; a store that does I/O may have accepted it at
        that moment.
        """
        form, push = self._form, self._push_now  # calling an attribute that is no method takes a look-up more
        message = form(body, ttl, headers)
        if timeout is not None or delay != 0.0:
            timeout, delay = check_timeout(timeout), check_number("delay", delay)
        try:
            taken = push(message, delay)
        except Empty:
            taken = await self.store.push(message, timeout, delay)
        return message.id if taken else None

    async def push_many(
        self,
        bodies: Iterable[object],
        *,
        timeout: float | None = None,
        delay: float = 0.0,
        ttl: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> list[str | None]:
        """Accept messages in order; see `Queue.push_many`."""
        timeout, delay = check_timeout(timeout), check_number("delay", delay)
        ids, messages = self.threads.form_many(bodies, ttl, headers)
        taken = await self.store.push_many(messages, timeout, delay)
        return [id if entered else None for id, entered in zip(ids, taken)]

    def pull(self, timeout: float | None = None) -> AsyncPull:
        """Lease the message that has been ready longest: `delivery = await queue.pull()`, or settled by a context:

            async with queue.pull() as message: ...

        timeout: seconds of real time to wait for one; 0 does not wait, None waits for ever. Raises QueueEmpty or
        QueueClosed. Cancelled, it has either not taken a message or given it back, with its attempts untouched. A loop
        of pulls that find a message at hand does not let other coroutines run; await something else now and then.
        """
        if timeout is not None and timeout != 0.0:
            timeout = check_timeout(timeout)
        pull = StorePull()
        pull.store = self.store
        pull.timeout = timeout
        return pull

    async def pull_many(self, n: int, timeout: float | None = None) -> list[AsyncDelivery]:
        """Wait as `pull` does for one message, then take what else is ready, at most `n` in all."""
        return await self.store.pull_many(check_count("n", n), check_timeout(timeout))

    async def ack_many(self, deliveries: Iterable[AsyncDelivery]) -> None:
        """Ack all of this queue's `deliveries`; raises LeaseLost if any came too late, after acking the others."""
        await self.store.ack_many(check_each("deliveries", deliveries, AsyncDelivery))

    async def _opened(self) -> "AsyncQueue":
        return self

    async def stats(self) -> QueueStats:
        """What it holds now, and the counters of the conservation law."""
        return await self.store.call(self.threads.stats)


class AsyncDeadLetterQueue:
    """What a queue gave up on; the twin of `DeadLetterQueue`: `count`, `async for`, `redrive` and `purge`."""

    def __init__(self, open_queue: Callable[[], Awaitable[AsyncQueue]]) -> None:
        self._open = open_queue

    async def _call(
        self, function: Callable[Concatenate[DeadLetterQueue, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        queue = await self._open()
        return await queue.store.call(function, queue.threads.dead_letters, *args, **kwargs)

    async def count(self) -> int:
        """How many there are."""
        return await self._call(DeadLetterQueue.__len__)

    async def __aiter__(self) -> AsyncIterator[DeadLetter]:
        for letter in await self._call(list[DeadLetter]):
            yield letter

    async def redrive(self, ids: Iterable[str] | None = None, limit: int | None = None) -> int:
        """Deliver dead letters again; see `DeadLetterQueue.redrive`."""
        return await self._call(DeadLetterQueue.redrive, ids, limit)

    async def purge(self) -> int:
        """Delete them all; returns how many there were."""
        return await self._call(DeadLetterQueue.purge)
