"""The broker: named queues and topics over one store."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType

from lightbroker.core.clock import Clock, SystemClock
from lightbroker.core.errors import BrokerError, QueueClosed, check_count, check_name
from lightbroker.core.message import Delivery, Message, Transition
from lightbroker.core.policy import Overflow, QueueOptions, Retry
from lightbroker.core.queue import DeadLetterQueue, Queue, check_push, check_timeout
from lightbroker.core.registry import open_store
from lightbroker.core.stats import BrokerStats
from lightbroker.core.store import Store, Trace
from lightbroker.core.topic.pattern import check_topic
from lightbroker.core.topic.subscription import Subscription
from lightbroker.core.topic.topics import SharedStore, Topics
from lightbroker.core.worker import WorkerPool, check_pool

log = logging.getLogger(__name__)

_DEFAULTS = QueueOptions()


class Broker:
    """Queues and topics over one store. Threads may share a broker.

    Args:
        store: A URL ("memory://", "sqlite:///path.db", "redis://host:6379/0") or a `Store`.
        clock: Where time comes from (None: the machine's clock, or that of the server that keeps the queues).
        trace: How many transitions `trace` remembers; 0 for none.

    Raises:
        StoreError: The store cannot be opened.
    """

    def __init__(self, store: str | Store = "memory://", *, clock: Clock | None = None, trace: int = 0) -> None:
        if isinstance(store, type) or not (isinstance(store, str) or hasattr(store, "queue")):
            raise TypeError(f"store must be a URL or a Store, not {store!r}")
        if isinstance(clock, type) or not (clock is None or hasattr(clock, "alarm")):
            raise TypeError(f"clock must be a Clock, not {clock!r}")
        self._trace = Trace(check_count("trace", trace)) if trace != 0 else None
        self._store = open_store(store) if isinstance(store, str) else store
        self.clock = SystemClock() if clock is None else clock
        self._queues: dict[str, Queue] = {}
        self._pools: list[WorkerPool] = []
        if isinstance(self._store, SharedStore):
            self._topics: Topics = self._store.topics(self.clock, self._open)
        else:
            self._topics = Topics(self.clock)
        self._opening = threading.Lock()  # held while a store opens a queue, which can take long
        self._lock = threading.Lock()
        self._draining = self._closed = False

    def queue(
        self,
        name: str,
        capacity: int | None = _DEFAULTS.capacity,
        overflow: Overflow = _DEFAULTS.overflow,
        lease: float = _DEFAULTS.lease,
        retry: Retry = _DEFAULTS.retry,
        ttl: float | None = _DEFAULTS.ttl,
        dead_capacity: int | None = _DEFAULTS.dead_capacity,
    ) -> Queue:
        """Declare a queue and return it. Declaring it again with the same options returns the same queue.

        Args:
            name: 1 to 255 printable characters without a space.
            capacity: Messages that it holds, ready, delayed and leased (None: without bound).
            overflow: What a push does when the queue is full.
            lease: Seconds for which a pulled message is kept from other consumers.
            retry: How failures are retried.
            ttl: Seconds after which a message is no longer delivered (None: never).
            dead_capacity: Dead letters that are kept (None: all); beyond that the oldest are dropped.

        Raises:
            ValueError: The queue is declared with other options, which the error names.
            QueueClosed: The broker is closed.
        """
        options = QueueOptions(capacity, overflow, lease, retry, ttl, dead_capacity)
        queue = self._open(name, options)
        if queue.options != options:
            differing = options.differences(queue.options)
            raise ValueError(f"queue {name!r} is declared already, with other options: {differing}")
        return queue

    def _open(self, name: str, options: QueueOptions = _DEFAULTS) -> Queue:
        """Return the queue of that name, declared with `options` if it is new."""
        check_name("queue name", name)
        with self._opening:
            queue = self._queues.get(name)
            if queue is None:
                if self._draining:
                    raise QueueClosed("the broker is closed")
                note = None if self._trace is None else self._trace.note
                queue = Queue(name, options, self.clock, self._store.queue(name, options, self.clock, note))
                with self._lock:
                    if not self._draining:
                        self._queues[name] = queue
                        return queue
                queue.stored.close()
                raise QueueClosed("the broker is closed")
            return queue

    def _known(self, name: str) -> Queue | None:
        try:
            return self._queues.get(name)
        except TypeError:  # not a string; opening the queue says so
            return None

    def _named(self, name: str) -> Queue:
        return self._known(name) or self._open(name)

    def push(
        self,
        queue: str,
        body: object,
        *,
        timeout: float | None = None,
        delay: float = 0.0,
        ttl: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str | None:
        """Push to the queue of that name; see `Queue.push`."""
        known = self._known(queue)
        if known is None:
            check_push(body, timeout, delay, ttl, headers)  # first, because a wrong argument must declare no queue
            known = self._open(queue)
        return known.push(body, timeout=timeout, delay=delay, ttl=ttl, headers=headers)

    def pull(self, queue: str, timeout: float | None = None) -> Delivery:
        """Pull from the queue of that name; see `Queue.pull`."""
        known = self._known(queue)
        if known is None:
            check_timeout(timeout)
            known = self._open(queue)
        return known.pull(timeout)

    def dlq(self, queue: str) -> DeadLetterQueue:
        """Return the dead letters of the queue of that name."""
        return self._named(queue).dead_letters

    def publish(self, topic: str, body: object, headers: Mapping[str, str] | None = None) -> int:
        """Offer a message to every subscriber and bound queue whose pattern matches `topic`.

        Args:
            topic: A dotted name without wildcards.
            body: bytes, str, or anything that JSON can hold.
            headers: Strings that travel with the message.

        Returns:
            How many copies were accepted. Over Redis, another process that was sent to counts as one.

        Raises:
            StoreError: A bound queue's store cannot be used. Everybody else has the message.
        """
        if self._draining:
            raise QueueClosed("the broker is closed")
        return self._topics.publish(topic, body, headers)

    def subscribe(
        self,
        pattern: str,
        capacity: int | None = 1000,
        overflow: Overflow = Overflow.DROP_OLDEST,
        group: str | None = None,
    ) -> Subscription:
        """Listen to the topics that `pattern` matches.

        Args:
            pattern: A dotted name; `*` stands for one token, `>` for one or more at the end.
            capacity: Messages buffered for this subscriber (None: without bound).
            overflow: What happens when the buffer is full. BLOCK makes the publisher wait.
            group: Members of one group on one pattern share a buffer, and each message goes to one of them.

        Raises:
            ValueError: The pattern is malformed, or the group was made with other options.
            QueueClosed: The broker is closed.
        """
        if overflow is Overflow.DEAD_LETTER:
            raise ValueError("overflow: a subscription has no dead letters; bind the topic to a queue to keep them")
        if self._draining:
            raise QueueClosed("the broker is closed")
        return self._topics.subscribe(pattern, group, QueueOptions(capacity, overflow))

    def bind(self, pattern: str, queue: str) -> None:
        """Push what is published to topics that match `pattern` into a queue: with acks, retries and dead letters.

        Over Redis the binding belongs to the store, and stays when this broker is closed.
        """
        check_topic(pattern, wildcards=True)  # first, because a wrong pattern must declare no queue
        if self._draining:
            raise QueueClosed("the broker is closed")
        self._topics.bind(pattern, self._named(queue))

    def workers(self, queue: str, handler: Callable[[Message], object], workers: int = 4) -> WorkerPool:
        """Start threads that run `handler(message)` for each message of the queue.

        A handler that cannot be called, or is async, raises TypeError here.
        """
        check_pool(handler, workers)
        named = self._named(queue)
        with self._lock:  # so that a handler that closes the broker at once finds its pool
            if self._draining:
                raise QueueClosed("the broker is closed")
            pool = WorkerPool(named, handler, workers)
            self._pools = [*(other for other in self._pools if not other.stopped), pool]
            return pool

    def stats(self) -> BrokerStats:
        """Return the numbers of all queues and subscriptions now."""
        return BrokerStats({name: queue.stats() for name, queue in self.queues.items()}, *self._topics.stats())

    @property
    def queues(self) -> dict[str, Queue]:
        """The queues that were declared so far, by name and sorted by it."""
        return dict(sorted(self._queues.copy().items()))

    @property
    def state(self) -> str:
        """`open`, `draining` (it takes nothing new and finishes) or `closed`."""
        return "closed" if self._closed else "draining" if self._draining else "open"

    def trace(self, message_id: str) -> list[Transition]:
        """Return what is remembered of a message's life, oldest first; nothing without the broker's option `trace`."""
        return [] if self._trace is None else self._trace.of(message_id)

    def check(self) -> None:
        """Raise InvariantError if the conservation law does not hold. Call it when no method is running."""
        for queue in list(self._queues.values()):
            queue.stored.check()
        self._topics.check()

    def refuse(self) -> None:
        """Take nothing new: every push raises QueueClosed from now on, and pulls go on."""
        with self._lock:
            self._draining = True
            queues = list(self._queues.values())
        for queue in queues:
            queue.stored.refuse()

    def close(self, drain: bool = True, timeout: float | None = None) -> None:
        """Take nothing new, finish, and wake every blocked caller with QueueClosed.

        A queue without workers is not waited for. What it holds stays in the store; with the store in memory it is
        lost, and a warning says how much that is. A handler that closes its own broker does not wait, because it would
        wait for itself: the broker is closed when that handler and the others have finished. A store that is away keeps
        what it has, and raises nothing here.

        Args:
            drain: Whether worker pools go on until their queues are empty. Without, the messages that they work on are
                released.
            timeout: Seconds after which to stop draining (None: no limit).
        """
        timeout = check_timeout(timeout)
        until = None if timeout is None else time.monotonic() + timeout
        if self._closed:
            return
        self.refuse()
        pools = list(self._pools)
        mine = next((pool for pool in pools if pool.current), None)
        if drain and mine is not None:
            mine.stop()  # does not wait for its caller
            end = partial(self._end, pools, drain, until)
            threading.Thread(target=end, name="lightbroker-close", daemon=True).start()
            return
        while drain and any(pool.busy for pool in pools) and (until is None or time.monotonic() < until):
            time.sleep(0.005)
        self._end(pools, drain, until)

    def _end(self, pools: Sequence[WorkerPool], drain: bool, until: float | None) -> None:
        """Stop the pools and close the rest."""
        for pool in pools:
            pool.stop(drain, None if until is None else max(0.0, until - time.monotonic()))
        self._topics.close()
        queues = list(self._queues.values())
        for queue in queues:
            queue.stored.close()
        with suppress(BrokerError):  # the store is away, and each look would wait for it; or another thread closed it
            for queue in queues:
                if held := queue.stats().held:
                    extra = {"queue": queue.name}
                    log.warning("closed with %d messages left in queue %s", held, queue.name, extra=extra)
        self._store.close()
        self._closed = True

    def __enter__(self) -> "Broker":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close(drain=error is None)
