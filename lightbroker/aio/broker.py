"""The broker for coroutines: a front over a `Broker`, whose queues, topics and store it uses."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from math import inf
from types import TracebackType
from typing import Concatenate, ParamSpec, TypeVar

from lightbroker.aio.direct import DirectQueue
from lightbroker.aio.pull import AsyncPull, FirstPull
from lightbroker.aio.queue import AsyncDeadLetterQueue, AsyncQueue
from lightbroker.aio.stores import DirectStore
from lightbroker.aio.threaded import Desk, ThreadedStore
from lightbroker.aio.topic import AsyncSubscription, offer
from lightbroker.aio.worker import AsyncWorkerPool
from lightbroker.core.broker import Broker
from lightbroker.core.clock import Clock
from lightbroker.core.errors import QueueClosed, QueueFull, StoreError
from lightbroker.core.memory.queue import MemoryQueue
from lightbroker.core.memory.store import MemoryStore
from lightbroker.core.message import Message, Transition
from lightbroker.core.policy import Overflow, QueueOptions, Retry
from lightbroker.core.queue import Queue, check_push, check_timeout
from lightbroker.core.stats import BrokerStats
from lightbroker.core.store import Store, Waitable
from lightbroker.core.topic.buffer import offer as offer_to_buffers
from lightbroker.core.topic.topics import SharedStore
from lightbroker.stores.shared_topics import SharedTopics

P = ParamSpec("P")
T = TypeVar("T")

_DEFAULTS = QueueOptions()
_CONNECTIONS = 4  # calls to a server that are under way at the same time, at most
_LOOK = 0.005  # seconds between two looks whether a drain is over


def _itself(broker: Broker) -> Broker:
    return broker


def _left(until: float) -> float | None:
    return None if until == inf else max(0.0, until - time.monotonic())


class AsyncBroker:
    """Queues to work off, topics to listen to, for the coroutines of any number of event loops.

    broker: a `Broker` to share with threads, which pull what coroutines push and the other way round, and which stays
    open when this is closed; or what a `Broker` is made of, a URL or a `Store` with `clock` and `trace` as there. What
    does I/O is opened when it is first used, or entered as a context. A coroutine that waits costs no thread. In memory
    all is done in the coroutine's own step; other stores are called in threads.
    """

    def __init__(
        self, broker: Broker | str | Store = "memory://", *, clock: Clock | None = None, trace: int = 0
    ) -> None:
        self._shares = isinstance(broker, Broker)
        self._broker: Broker | None = None
        self._make: Callable[[], Broker]
        if not isinstance(broker, Broker):
            self._make = partial(Broker, broker, clock=clock, trace=trace)
            if not isinstance(broker, str) or broker.startswith("memory:"):
                self._broker = self._make()
        elif clock is not None or trace:
            raise ValueError("clock and trace are those of the broker that is given; leave them out")
        else:
            self._broker = broker
        remote = str(broker).startswith("redis") or isinstance(self._broker and self._broker._store, SharedStore)
        self._desk = Desk(_CONNECTIONS if remote else 1)
        self._queues: dict[str, AsyncQueue] = {}
        self._pools: list[AsyncWorkerPool] = []
        self._behind: list[asyncio.Task[None]] = []  # a loop keeps no task from being collected
        self._lock = threading.Lock()
        self._closed = False

    @property
    def threads(self) -> Broker:
        """The `Broker` behind it, for use by threads; raises QueueClosed if it was not opened yet."""
        if self._broker is None:
            raise QueueClosed("the broker is not open yet; await something of it first, or enter it")
        return self._broker

    def _open(self) -> Broker:
        with self._lock:
            if self._broker is None:
                self._broker = self._make()
            return self._broker

    async def _call(self, function: Callable[Concatenate[Broker, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call it with the broker, where it may block."""
        broker = self._broker
        if broker is None:
            broker = await self._desk.call(self._open)
        if isinstance(broker._store, MemoryStore):
            return function(broker, *args, **kwargs)
        return await self._desk.call(function, broker, *args, **kwargs)

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
        return self._twin(await self._call(Broker.queue, name, capacity, overflow, lease, retry, ttl, dead_capacity))

    def _known(self, name: str) -> AsyncQueue | None:
        try:
            return self._queues.get(name)
        except TypeError:  # not a string, which opening the queue will say
            return None

    async def _named(self, name: str) -> AsyncQueue:
        return self._known(name) or self._twin(await self._call(Broker._named, name))

    def _twin(self, queue: Queue) -> AsyncQueue:
        if isinstance(queue.store, MemoryQueue):
            plain = queue.options.ttl is None and queue.store._note is None
            twin = DirectQueue(queue, queue.store) if plain else AsyncQueue(queue, DirectStore(queue, queue.store))
        elif isinstance(queue.store, Waitable):
            twin = AsyncQueue(queue, ThreadedStore(queue, queue.store, self._desk))
        else:
            raise TypeError(f"store: {queue.store!r} cannot be waited at without a thread, see `Waitable`")
        return self._queues.setdefault(queue.name, twin)

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
        the others have their copies. For what a StoreError means, see `Broker.publish`.
        """
        broker = await self._call(_itself)
        if broker.state != "open":
            raise QueueClosed("the broker is closed")
        topics = broker._topics
        if isinstance(topics, SharedTopics):
            message, copies, buffers, queues, trouble = await self._desk.call(topics.address, topic, body, headers)
        else:
            message, copies, buffers, queues, trouble = topics.address(topic, body, headers)
        copies += offer_to_buffers(message, [buffer for buffer in buffers if not buffer.blocks])
        for buffer in buffers:
            if buffer.blocks:
                copies += await offer(message, buffer)
        for queue in queues:
            try:
                with suppress(QueueFull):  # one that refuses keeps nothing from the others; its stats count it
                    twin = self._known(queue.name) or self._twin(queue)
                    copies += await twin.push(message.body, headers=message.headers) is not None
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
        """Listen to the topics that `pattern` matches; see `Broker.subscribe`, whose errors come when it begins.

        async with broker.subscribe("chain.*") as subscription:
            async for message in subscription: ...
        """
        subscribe = partial(Broker.subscribe, pattern=pattern, capacity=capacity, overflow=overflow, group=group)
        return AsyncSubscription(pattern, group, self._desk, self._call, subscribe)

    async def bind(self, pattern: str, queue: str) -> None:
        """Push what is published to topics that match `pattern` into a queue; see `Broker.bind`."""
        await self._call(Broker.bind, pattern, queue)

    def workers(
        self, queue: str, handler: Callable[[Message], Awaitable[object]], concurrency: int = 100
    ) -> AsyncWorkerPool:
        """A pool that awaits `handler(message)` for each message of the queue, `concurrency` at a time.

        async with broker.workers("blocks", handle, concurrency=100): ...
        """
        if self._broker is not None and self._broker.state != "open":
            raise QueueClosed("the broker is closed")
        pool = AsyncWorkerPool(partial(self._named, queue), handler, concurrency)
        self._pools = [*(other for other in self._pools if not other.stopped), pool]
        return pool

    async def stats(self) -> BrokerStats:
        """The numbers of all queues and subscriptions now."""
        return await self._call(Broker.stats)

    def trace(self, message_id: str) -> list[Transition]:
        """What the broker remembers of a message's life; see `Broker.trace`."""
        return [] if self._broker is None else self._broker.trace(message_id)

    async def check(self) -> None:
        """Raise InvariantError if the conservation law does not hold; call it when nothing is under way."""
        await self._call(Broker.check)

    async def close(self, drain: bool = True, timeout: float | None = None) -> None:
        """Stop its worker pools and, unless the broker was given to it, close that as `Broker.close` does.

        With `drain`, the pools go on until their queues are empty (those of a shared broker finish the handlers that
        run) or `timeout` seconds are over (None: no limit); what still runs then, or at once without `drain`, is
        cancelled and its message released. A handler that closes its own broker does not wait for itself: that handler
        and, with `drain`, the others finish behind it, and a task closes the rest; who closes from outside awaits that.
        """
        timeout = check_timeout(timeout)
        until = inf if timeout is None else time.monotonic() + timeout
        if self._closed:
            return
        mine = next((pool for pool in self._pools if pool.current), None)
        if not self._shares and self._broker is not None:
            with suppress(QueueClosed):  # another call closes at the same time, and has closed the desk
                await self._call(Broker.refuse)
            pools = self._pools if drain and mine is None else []
            while time.monotonic() < until and any([await pool.busy() for pool in pools]):
                await asyncio.sleep(_LOOK)
        if mine is None:
            await self._finish(drain, until)
        else:
            await mine.stop(drain)
            self._behind.append(asyncio.create_task(self._finish(drain, until, mine)))

    async def _finish(self, drain: bool, until: float, mine: AsyncWorkerPool | None = None) -> None:
        """Stop the pools and close the rest; `mine` has stopped but for a handler that may use what time is left."""
        for pool in self._pools:
            await pool.stop(drain or pool is mine, _left(until))
        await asyncio.to_thread(self._desk.close)
        if not self._shares and self._broker is not None:
            await asyncio.to_thread(self._broker.close, drain, _left(until))
        self._closed = True

    async def __aenter__(self) -> "AsyncBroker":
        await self._call(_itself)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.close(drain=error is None)
