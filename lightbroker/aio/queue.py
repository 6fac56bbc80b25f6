"""A queue for coroutines: the verbs of `core.queue`, to be awaited."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Concatenate, ParamSpec, TypeVar

from lightbroker.aio.delivery import AsyncDelivery
from lightbroker.aio.pull import AsyncPull, LatePull
from lightbroker.aio.store import AsyncStoredQueue
from lightbroker.core.errors import check_count, check_each, check_number
from lightbroker.core.message import DeadLetter
from lightbroker.core.queue import DeadLetterQueue, Queue, check_timeout
from lightbroker.core.stats import QueueStats

P = ParamSpec("P")
T = TypeVar("T")


class AsyncQueue:
    """A `Queue` for the coroutines of any event loop: the same messages, in the same order.

    Made by `AsyncBroker.queue`.

    Attributes:
        name: Its name.
        options: The options with which it was declared.
        dead_letters: Its dead letters.
    """

    def __init__(self, sync_queue: Queue, stored: AsyncStoredQueue) -> None:
        self.name = sync_queue.name
        self.options = sync_queue.options
        self.dead_letters = AsyncDeadLetterQueue(self._opened)
        self._sync_queue = sync_queue
        self._stored = stored

    async def push(
        self,
        body: object,
        *,
        timeout: float | None = None,
        delay: float = 0.0,
        ttl: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str | None:
        """Accept one message. If the queue is full and its policy is BLOCK, the coroutine is suspended.

        Cancelled while it is suspended, it has pushed nothing. A store that does I/O may have accepted the message at
        that moment.

        Args:
            body: bytes, str, or anything JSON can hold.
            timeout: Seconds to wait for room if the policy is BLOCK (None: for ever).
            delay: Seconds until the message is ready.
            ttl: Seconds after which the message is no longer delivered (None: as the queue was declared).
            headers: Short strings that travel with the message.

        Returns:
            The id of the message, or None if the overflow policy dropped it.

        Raises:
            QueueFull: There was no room. Nothing was accepted.
            QueueClosed: The queue takes nothing new. Nothing was accepted.
            TypeError: An argument makes no sense. Nothing was accepted.
            ValueError: The same.
        """
        message = self._sync_queue._form(body, ttl, headers)
        if timeout is not None or delay != 0.0:
            timeout, delay = check_timeout(timeout), check_number("delay", delay)
        return message.id if await self._stored.push(message, timeout, delay) else None

    async def push_many(
        self,
        bodies: Iterable[object],
        *,
        timeout: float | None = None,
        delay: float = 0.0,
        ttl: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> list[str | None]:
        """Accept messages in order, far cheaper than one at a time.

        Args:
            bodies: What to push; see `push`.
            timeout: Seconds to wait for room, for all of them together (None: for ever).
            delay: Seconds until they are ready.
            ttl: Seconds after which they are no longer delivered (None: as the queue was declared).
            headers: Short strings that travel with each message.

        Returns:
            The ids, with None for each message that the overflow policy dropped.

        Raises:
            QueueFull: There was no room for one. The error's `accepted` holds the ids of the messages before it.
            QueueClosed: The queue takes nothing new. `accepted` is the same.
            StoreError: The store cannot be used. It is open which messages of a large batch it has accepted.
        """
        timeout, delay = check_timeout(timeout), check_number("delay", delay)
        ids, messages = self._sync_queue._form_many(bodies, ttl, headers)
        taken = await self._stored.push_many(messages, timeout, delay)
        return [id if entered else None for id, entered in zip(ids, taken)]

    def pull(self, timeout: float | None = None) -> AsyncPull:
        """Lease the message that has been ready longest. Await the pull for the delivery, or enter it for the message:

            delivery = await queue.pull()
            async with queue.pull() as message: ...

        Cancelled, it has taken no message, or has given it back with its attempts untouched. A loop of pulls that find
        a message at hand does not let other coroutines run, so await something else now and then.

        Args:
            timeout: Seconds of real time to wait for a message; 0 does not wait, None waits for ever.

        Raises:
            QueueEmpty: No message became ready in time; raised by the await.
            QueueClosed: The queue is closed; raised by the await.
        """
        if timeout is not None and timeout != 0.0:
            timeout = check_timeout(timeout)
        return LatePull(self._stored.pull, timeout)

    async def pull_many(self, n: int, timeout: float | None = None) -> list[AsyncDelivery]:
        """Wait as `pull` does for one message, then take what else is ready, at most `n` in all."""
        return await self._stored.pull_many(check_count("n", n), check_timeout(timeout))

    async def ack_many(self, deliveries: Iterable[AsyncDelivery]) -> None:
        """Ack deliveries of this queue.

        Raises:
            LeaseLost: At least one ack came too late. The others are done.
        """
        await self._stored.ack_many(check_each("deliveries", deliveries, AsyncDelivery))

    async def stats(self) -> QueueStats:
        """Return what the queue holds now, and the counters of the conservation law."""
        return await self._stored.call(self._sync_queue.stats)

    async def _opened(self) -> "AsyncQueue":
        return self


class AsyncDeadLetterQueue:
    """The messages that a queue gave up on: `async for letter in dead_letters`, from the oldest."""

    def __init__(self, open_queue: Callable[[], Awaitable[AsyncQueue]]) -> None:
        self._open_queue = open_queue

    async def _call(
        self, function: Callable[Concatenate[DeadLetterQueue, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        queue = await self._open_queue()
        return await queue._stored.call(function, queue._sync_queue.dead_letters, *args, **kwargs)

    async def count(self) -> int:
        """Return how many dead letters there are."""
        return await self._call(DeadLetterQueue.__len__)

    async def __aiter__(self) -> AsyncIterator[DeadLetter]:
        for letter in await self._call(list[DeadLetter]):
            yield letter

    async def redrive(self, ids: Iterable[str] | None = None, limit: int | None = None) -> int:
        """Deliver dead letters again as if they were new: at the back, with attempts from 1 and without a TTL.

        Args:
            ids: Which messages (None: all, from the oldest). Unknown ids are passed over.
            limit: How many at most (None: all).

        Returns:
            How many were moved. It ends early when the queue is full.
        """
        return await self._call(DeadLetterQueue.redrive, ids, limit)

    async def purge(self) -> int:
        """Delete all dead letters; return how many there were."""
        return await self._call(DeadLetterQueue.purge)
