"""The broker for coroutines: it uses the queues, topics and store of a `Broker`.

Which awaits are safe to cancel, and why, stands beside each kind of call: `pull`, `store` and `threaded` for queues,
`topic` for publishing and subscribing, `worker` for pools. A `close` that was cancelled can be called again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from math import inf
from types import TracebackType

from lightbroker.aio.delivery import AsyncDelivery
from lightbroker.aio.direct import DirectQueue
from lightbroker.aio.lazy import LazyBroker
from lightbroker.aio.pull import AsyncPull, LatePull
from lightbroker.aio.queue import AsyncDeadLetterQueue, AsyncQueue
from lightbroker.aio.store import DirectStoredQueue
from lightbroker.aio.threaded import ThreadedStoredQueue
from lightbroker.aio.topic import AsyncSubscription, push_when_room
from lightbroker.aio.worker import AsyncWorkerPool
from lightbroker.core.broker import Broker
from lightbroker.core.clock import Clock
from lightbroker.core.errors import QueueClosed, QueueFull, StoreError
from lightbroker.core.memory.queue import MemoryQueue
from lightbroker.core.message import Message, Transition
from lightbroker.core.policy import Overflow, QueueOptions, Retry
from lightbroker.core.queue import Queue, check_push, check_timeout
from lightbroker.core.stats import BrokerStats
from lightbroker.core.store import Store, Waitable
from lightbroker.core.topic.buffer import offer
from lightbroker.stores.shared_topics import SharedTopics

_DEFAULTS = QueueOptions()
_LOOK = 0.005  # seconds between two looks whether a drain is over


def _itself(broker: Broker) -> Broker:
    return broker


def _left(until: float) -> float | None:
    return None if until == inf else max(0.0, until - time.monotonic())


class AsyncBroker:
    """Queues to work off and topics to listen to, for the coroutines of any number of event loops.

    Over the store in memory, every call is made in the coroutine's own step. Other stores are called in threads. A
    coroutine that waits for a message or for room costs no thread.

    Args:
        broker: What a `Broker` is made of, a URL or a `Store`. A store that does I/O is opened at the first use, or
            when the `AsyncBroker` is entered as a context. Or a `Broker` to share with threads. Coroutines then pull
            what threads push, and the other way round. A `Broker` that is given stays open when this is closed.
        clock: See `Broker`. Not for a broker that is given.
        trace: See `Broker`. Not for a broker that is given.
    """

    def __init__(
        self, broker: Broker | str | Store = "memory://", *, clock: Clock | None = None, trace: int = 0
    ) -> None:
        self._lazy = LazyBroker(broker, clock, trace)
        self._queues: dict[str, AsyncQueue] = {}
        self._pools: list[AsyncWorkerPool] = []
        self._closing: list[asyncio.Task[None]] = []  # kept here, because a loop does not keep its tasks alive
        self._closed = False

    @property
    def threads(self) -> Broker:
        """The `Broker` that it uses, for threads. Raises QueueClosed if it was not opened yet."""
        if self._lazy.broker is None:
            raise QueueClosed("the broker is not open yet; await something of it first, or enter it")
        return self._lazy.broker

    async def queue(
        self,
        name: str,
        capacity: int | None = _DEFAULTS.capacity,
        overflow: Overflow = _DEFAULTS.overflow,
        lease: float = _DEFAULTS.lease,
        retry: Retry = _DEFAULTS.retry,
        ttl: float | None = _DEFAULTS.ttl,
        dead_capacity: int | None = _DEFAULTS.dead_capacity,
    ) -> AsyncQueue:
        """Declare a queue and return it; see `Broker.queue` for the arguments and errors."""
        return self._wrap(
            await self._lazy.call(Broker.queue, name, capacity, overflow, lease, retry, ttl, dead_capacity)
        )

    def _known(self, name: str) -> AsyncQueue | None:
        try:
            return self._queues.get(name)
        except TypeError:  # not a string; opening the queue will say so
            return None

    async def _named(self, name: str) -> AsyncQueue:
        return self._known(name) or self._wrap(await self._lazy.call(Broker._named, name))

    def _wrap(self, queue: Queue) -> AsyncQueue:
        """Return the `AsyncQueue` of a queue, one and the same each time."""
        wrapped: AsyncQueue
        if isinstance(queue.stored, MemoryQueue):
            if queue.options.ttl is None and queue.stored._note is None:
                wrapped = DirectQueue(queue, queue.stored)
            else:
                wrapped = AsyncQueue(queue, DirectStoredQueue(queue, queue.stored))
        elif isinstance(queue.stored, Waitable):
            wrapped = AsyncQueue(queue, ThreadedStoredQueue(queue, queue.stored, self._lazy.executor))
        else:
            raise TypeError(f"store: {queue.stored!r} cannot be waited at without a thread, see `Waitable`")
        return self._queues.setdefault(queue.name, wrapped)

    async def push(
        self,
        queue: str,
        body: object,
        *,
        timeout: float | None = None,
        delay: float = 0.0,
        ttl: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str | None:
        """Push to a queue by its name; see `AsyncQueue.push` for the arguments, result and errors."""
        known = self._known(queue)
        if known is None:
            check_push(body, timeout, delay, ttl, headers)  # first: a wrong argument must declare no queue
            known = await self._named(queue)
        return await known.push(body, timeout=timeout, delay=delay, ttl=ttl, headers=headers)

    def pull(self, queue: str, timeout: float | None = None) -> AsyncPull:
        """Pull from a queue by its name; see `AsyncQueue.pull`."""
        known = self._known(queue)
        if known is not None:
            return known.pull(timeout)
        check_timeout(timeout)

        async def open_and_pull(timeout: float | None) -> AsyncDelivery:
            return await (await self._named(queue)).pull(timeout)

        return LatePull(open_and_pull, timeout)

    def dlq(self, queue: str) -> AsyncDeadLetterQueue:
        """Return the dead letters of a queue, by its name."""
        return AsyncDeadLetterQueue(partial(self._named, queue))

    async def publish(self, topic: str, body: object, headers: Mapping[str, str] | None = None) -> int:
        """Offer a message to everything that listens to a topic: subscribers and bound queues.

        The coroutine is suspended while a subscriber or a bound queue is full whose policy is BLOCK. Cancelled then, it
        takes back none of the copies that were accepted before.

        Args:
            topic: Where to publish; a dotted name without wildcards.
            body: bytes, str, or anything JSON can hold.
            headers: Short strings that travel with the message.

        Returns:
            How many copies were accepted.

        Raises:
            QueueClosed: The broker is closed.
            StoreError: A store could not be used; see `Broker.publish` for who has the message then.
        """
        broker = await self._lazy.call(_itself)
        if broker.state != "open":
            raise QueueClosed("the broker is closed")
        topics = broker._topics
        if isinstance(topics, SharedTopics):
            message, copies, buffers, queues, trouble = await self._lazy.executor.call(
                topics.address, topic, body, headers
            )
        else:
            message, copies, buffers, queues, trouble = topics.address(topic, body, headers)
        copies += offer(message, [buffer for buffer in buffers if not buffer.blocks])
        for buffer in buffers:
            if buffer.blocks:
                copies += await push_when_room(message, buffer)
        for queue in queues:
            try:
                with suppress(QueueFull):  # a queue that refuses counts it, and keeps the message from no other
                    wrapped = self._known(queue.name) or self._wrap(queue)
                    copies += await wrapped.push(message.body, headers=message.headers) is not None
            except StoreError as error:
                trouble = trouble or error
        if trouble is not None:
            raise trouble
        return copies

    def subscribe(
        self,
        pattern: str,
        capacity: int | None = 1000,
        overflow: Overflow = Overflow.DROP_OLDEST,
        group: str | None = None,
    ) -> AsyncSubscription:
        """Listen to the topics that a pattern matches; see `Broker.subscribe` for the arguments.

            async with broker.subscribe("chain.*") as subscription:
                async for message in subscription: ...

        Wrong arguments raise when the subscription begins to listen; see `AsyncSubscription`.
        """
        subscribe = partial(Broker.subscribe, pattern=pattern, capacity=capacity, overflow=overflow, group=group)
        return AsyncSubscription(pattern, group, self._lazy, subscribe)

    async def bind(self, pattern: str, queue: str) -> None:
        """Push whatever is published to the topics that a pattern matches into a queue; see `Broker.bind`."""
        await self._lazy.call(Broker.bind, pattern, queue)

    def workers(
        self, queue: str, handler: Callable[[Message], Awaitable[object]], concurrency: int = 100
    ) -> AsyncWorkerPool:
        """Make a pool of coroutines that work off a queue. Enter it, or `start` it.

            async with broker.workers("blocks", handle, concurrency=100): ...

        Args:
            queue: The name of the queue.
            handler: Awaited with each message.
            concurrency: How many handlers may run at a time.

        Raises:
            QueueClosed: The broker is closed.
        """
        if self._lazy.broker is not None and self._lazy.broker.state != "open":
            raise QueueClosed("the broker is closed")
        pool = AsyncWorkerPool(partial(self._named, queue), handler, concurrency)
        self._pools = [*(other for other in self._pools if not other.stopped), pool]
        return pool

    async def stats(self) -> BrokerStats:
        """Return the numbers of all queues and subscriptions now."""
        return await self._lazy.call(Broker.stats)

    def trace(self, message_id: str) -> list[Transition]:
        """Return the transitions of a message that the broker remembers; see `Broker.trace`."""
        return [] if self._lazy.broker is None else self._lazy.broker.trace(message_id)

    async def check(self) -> None:
        """Raise InvariantError if the conservation law does not hold. Call it while nothing else calls the broker."""
        await self._lazy.call(Broker.check)

    async def close(self, drain: bool = True, timeout: float | None = None) -> None:
        """Stop the worker pools, and close the broker as `Broker.close` does unless it was given.

        A handler may close its own broker. It does not wait then, because it would wait for itself: a task closes the
        rest when that handler has finished. With `drain`, the other handlers finish first too. Any other caller waits
        until all is closed.

        Args:
            drain: Whether the pools go on until their queues are empty. The pools of a shared broker only finish the
                handlers that run. If not, handlers are cancelled at once, and their messages are released.
            timeout: Seconds after which the handlers that still run are cancelled (None: never).
        """
        timeout = check_timeout(timeout)
        until = inf if timeout is None else time.monotonic() + timeout
        if self._closed:
            return
        callers_pool = next((pool for pool in self._pools if pool._current), None)
        if not self._lazy.shared and self._lazy.broker is not None:
            with suppress(QueueClosed):  # another call closes at the same time, and has closed the executor
                await self._lazy.call(Broker.refuse)
            pools = self._pools if drain and callers_pool is None else []
            while time.monotonic() < until and any([await pool._busy() for pool in pools]):
                await asyncio.sleep(_LOOK)
        if callers_pool is None:
            await self._finish(drain, until)
        else:
            await callers_pool.stop(drain)
            self._closing.append(asyncio.create_task(self._finish(drain, until, callers_pool)))

    async def _finish(self, drain: bool, until: float, callers_pool: AsyncWorkerPool | None = None) -> None:
        """Stop the pools and close the rest.

        `callers_pool` was stopped by one of its own handlers, which may use what is left of the time.
        """
        for pool in self._pools:
            await pool.stop(drain or pool is callers_pool, _left(until))
        await asyncio.to_thread(self._lazy.executor.close)
        if not self._lazy.shared and self._lazy.broker is not None:
            await asyncio.to_thread(self._lazy.broker.close, drain, _left(until))
        self._closed = True

    async def __aenter__(self) -> "AsyncBroker":
        await self._lazy.call(_itself)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.close(drain=error is None)
