"""The broker for coroutines: a front over a `Broker`, whose queues, topics and store it uses."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from lightbroker.aio.direct import DirectQueue
from lightbroker.aio.pull import AsyncPull, FirstPull
from lightbroker.aio.queue import AsyncDeadLetterQueue, AsyncQueue
from lightbroker.aio.threaded import Desk, LateStore, ThreadedStore
from lightbroker.aio.topic import AsyncSubscription, offer
from lightbroker.aio.worker import AsyncWorkerPool
from lightbroker.broker import Broker, BrokerStats, open_store
from lightbroker.clock import Clock
from lightbroker.errors import QueueClosed, QueueFull
from lightbroker.message import Message, Transition
from lightbroker.policy import Overflow, QueueOptions, Retry
from lightbroker.queue import Queue, check_push, check_timeout
from lightbroker.storage.base import Store, Waitable
from lightbroker.storage.memory import MemoryQueue, MemoryStore
from lightbroker.topic import check_topic

P = ParamSpec("P")
T = TypeVar("T")

_DEFAULTS = QueueOptions()
_LOOK = 0.005  # seconds between two looks whether a drain is over


class AsyncBroker:
    """Queues to work off, topics to listen to, for the coroutines of any number of event loops.

    broker: a `Broker` to share with threads, which pull what coroutines push and the other way round, and which stays
    open when this is closed; or what a `Broker` is made of: a URL or a `Store`, with `clock` and `trace` as there. A
    store that is opened by URL is opened when it is first used. A coroutine that waits costs no thread. In memory all
    is done in the coroutine's own step; other stores are called in one thread.
    """

    def __init__(
        self, broker: Broker | str | Store = "memory://", *, clock: Clock | None = None, trace: int = 0
    ) -> None:
        self._owns = not isinstance(broker, Broker)
        if isinstance(broker, Broker):
            if clock is not None or trace:
                raise ValueError("clock and trace are those of the broker that is given; leave them out")
            self._broker = broker
        else:
            late = isinstance(broker, str) and not broker.startswith("memory:")
            store = LateStore(partial(open_store, broker)) if late and isinstance(broker, str) else broker
            self._broker = Broker(store, clock=clock, trace=trace)
        self.clock = self._broker.clock
        self._desk = Desk()
        self._queues: dict[str, AsyncQueue] = {}
        self._pools: list[AsyncWorkerPool] = []
        self._closed = False

    @property
    def threads(self) -> Broker:
        """The `Broker` behind it, for use by threads."""
        return self._broker

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
        """Declare a queue and return it; see `Broker.queue`."""
        return await self._twin(self._broker.queue, name, capacity, overflow, lease, retry, ttl, dead_capacity)

    def _known(self, name: str) -> AsyncQueue | None:
        try:
            return self._queues.get(name)
        except TypeError:  # not a string, which opening the queue will say
            return None

    async def _named(self, name: str) -> AsyncQueue:
        return self._known(name) or await self._twin(self._broker._named, name)

    async def _call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if isinstance(self._broker._store, MemoryStore):
            return function(*args, **kwargs)
        return await self._desk.call(function, *args, **kwargs)

    async def _twin(self, open_queue: Callable[..., Queue], name: str, *options: Any) -> AsyncQueue:
        queue = await self._call(open_queue, name, *options)
        if isinstance(queue.store, MemoryQueue):
            twin: AsyncQueue = DirectQueue(queue, queue.store)
        elif isinstance(queue.store, Waitable):
            twin = AsyncQueue(queue, ThreadedStore(queue, queue.store, self._desk))
        else:
            raise TypeError(f"store: {queue.store!r} cannot be waited at without a thread, see `Waitable`")
        return self._queues.setdefault(name, twin)

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
        """Push to the queue of that name; see `AsyncQueue.push`."""
        known = self._known(queue)
        if known is None:
            check_push(body, timeout, delay, ttl, headers)  # first: a wrong argument must declare no queue
            known = await self._named(queue)
        return await known.push(body, timeout=timeout, delay=delay, ttl=ttl, headers=headers)

    def pull(self, queue: str, timeout: float | None = None) -> AsyncPull:
        """Pull from the queue of that name; see `AsyncQueue.pull`."""
        known = self._known(queue)
        if known is not None:
            return known.pull(timeout)
        check_timeout(timeout)

        async def open_queue() -> AsyncPull:
            return (await self._named(queue)).pull(timeout)

        pull = FirstPull()
        pull.open = open_queue
        return pull

    def dlq(self, queue: str) -> AsyncDeadLetterQueue:
        """The dead letters of the queue of that name."""
        return AsyncDeadLetterQueue(partial(self._named, queue))

    async def publish(self, topic: str, body: object, headers: Mapping[str, str] | None = None) -> int:
        """Offer a message to everyone who listens to `topic`; returns how many copies were accepted.

        A subscriber, or a bound queue, that is full and whose policy is BLOCK suspends the coroutine. Cancelled then,
        the others have their copies.
        """
        if self._broker._draining:
            raise QueueClosed("the broker is closed")
        topics = self._broker._topics
        message, buffers, queues = topics.address(topic, body, headers)
        copies = topics.offer(message, [buffer for buffer in buffers if not buffer.blocks])
        for buffer in buffers:
            if buffer.blocks:
                copies += await offer(message, buffer)
        for queue in queues:
            with suppress(QueueFull):  # one that refuses keeps nothing from the others; its stats count it
                twin = await self._named(queue.name)
                copies += await twin.push(message.body, headers=message.headers) is not None
        return copies

    def subscribe(
        self,
        pattern: str,
        capacity: int | None = 1000,
        overflow: Overflow = Overflow.DROP_OLDEST,
        group: str | None = None,
    ) -> AsyncSubscription:
        """Listen to the topics that `pattern` matches; see `Broker.subscribe`."""
        return AsyncSubscription(self._broker.subscribe(pattern, capacity, overflow, group))

    async def bind(self, pattern: str, queue: str) -> None:
        """Push what is published to topics that match `pattern` into a queue; see `Broker.bind`."""
        check_topic(pattern, wildcards=True)  # first: a wrong pattern must declare no queue
        await self._named(queue)
        self._broker.bind(pattern, queue)

    def workers(
        self, queue: str, handler: Callable[[Message], Awaitable[object]], concurrency: int = 100
    ) -> AsyncWorkerPool:
        """A pool that awaits `handler(message)` for each message of the queue, `concurrency` at a time.

        async with broker.workers("blocks", handle, concurrency=100): ...
        """
        if self._broker._draining:
            raise QueueClosed("the broker is closed")
        pool = AsyncWorkerPool(partial(self._named, queue), handler, concurrency)
        self._pools = [*(other for other in self._pools if not other.stopped), pool]
        return pool

    async def stats(self) -> BrokerStats:
        """The numbers of all queues and subscriptions now."""
        return await self._call(self._broker.stats)

    def trace(self, message_id: str) -> list[Transition]:
        """What the broker remembers of a message's life; see `Broker.trace`."""
        return self._broker.trace(message_id)

    async def check(self) -> None:
        """Raise InvariantError if the conservation law does not hold; call it when nothing is under way."""
        await self._call(self._broker.check)

    async def close(self, drain: bool = True, timeout: float | None = None) -> None:
        """Stop its worker pools and, unless the broker was given to it, close that as `Broker.close` does.

        With `drain`, the pools go on until their queues are empty (those of a shared broker finish the handlers that
        run) or `timeout` seconds are over (None: no limit); what still runs then, or at once without `drain`, is
        cancelled and its message released. A handler that closes its own broker does not wait for itself.
        """
        timeout = check_timeout(timeout)
        until = None if timeout is None else time.monotonic() + timeout
        if self._closed:
            return
        if self._owns:
            await self._call(self._broker.refuse)
            pools = [] if any(pool.current for pool in self._pools) or not drain else self._pools
            while (until is None or time.monotonic() < until) and any([await pool.busy() for pool in pools]):
                await asyncio.sleep(_LOOK)
        for pool in self._pools:
            await pool.stop(drain, None if until is None else max(0.0, until - time.monotonic()))
        if self._owns:
            await self._desk.call(
                self._broker.close, drain, None if until is None else max(0.0, until - time.monotonic())
            )
        self._desk.close()
        self._closed = True

    async def __aenter__(self) -> "AsyncBroker":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.close(drain=error is None)
