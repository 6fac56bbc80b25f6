"""The hot path: push, pull and ack over a queue in memory that is not traced and has no TTL of its own.

The verbs make the same atomic step as their namesakes in `MemoryQueue`. See `core.memory.steps` for why such a step
needs no lock. The steps stand here once more, as in `core.topic.buffer.offer`, because the calls in between would take
a quarter of the time. Everything out of the ordinary (a full queue, a time-out, a delay) goes the way of every store.

The verbs do not suspend the coroutine here, so no cancellation can hit them. Ctrl-C can, between any two bytecodes. It
loses no message and no permit, because a step is one call into C.
"""

from collections.abc import Awaitable, Generator, Mapping
from queue import Empty
from types import TracebackType
from typing import Any

from lightbroker.aio.delivery import DONE, AsyncDelivery
from lightbroker.aio.pull import AsyncPull, TaskPull, awaited_twice, settle
from lightbroker.aio.queue import AsyncQueue
from lightbroker.aio.store import DirectStoredQueue
from lightbroker.core.memory.queue import MemoryQueue
from lightbroker.core.message import MAX_BODY, NEVER, NO_HEADERS, Message, encode
from lightbroker.core.queue import Queue
from lightbroker.core.waiting import wake

_new_message = Message.__new__  # calling `Message(…)` would take as long as filling the object


class DirectDelivery(AsyncDelivery, TaskPull):
    """A pull from a queue in memory, which turns into its delivery.

    The queue in memory keeps its leases by delivery. It needs the delivery, as the key, before it has a message. So the
    delivery is made when the pull is, and one object can be both. The user has an `AsyncPull` before the await and an
    `AsyncDelivery` after it.
    """

    __slots__ = ("_direct_queue", "_held", "_running")
    stored: MemoryQueue
    _direct_queue: "DirectQueue | None"  # set by `DirectQueue.pull`; an `__init__` would cost as much as all the rest

    def __await__(self) -> Generator[Any, Any, AsyncDelivery]:
        direct_queue = self._direct_queue
        if direct_queue is None:
            raise awaited_twice()
        self._direct_queue = None  # at once: a key that leased a second message would lose the first
        memory = direct_queue._memory
        if memory._closed:
            raise memory._closed_error()
        try:
            message = next(map(memory._lease, (self,), memory._take_now))
        except Empty:
            pass
        except IndexError:  # an empty deque among the tokens: the queue was closed
            raise memory._pull_woken() from None
        else:
            monotonic = memory._now  # `memory._now()` would look for a method of that name first
            now = monotonic()
            if message.expires > now:
                self.stored = memory
                self.message = message
                self.deadline = now + memory._lease_seconds
                return self
            memory._expire_leased(self, message)
        return (yield from direct_queue._stored.pull(None).__await__())

    async def __aenter__(self) -> Message:
        delivery = await self
        self._held = delivery if delivery is not self else None  # not itself: only the collector frees such a circle
        return delivery.message

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._held is None:
            self.ack()
        else:
            await settle(self._held or self, error)

    def ack(self) -> Awaitable[None]:
        """Settle the message as done; see `AsyncDelivery.ack`."""
        memory = self.stored
        try:
            next(zip(map(memory._unlease, (self,)), memory._ack))
        except KeyError:
            raise memory._lost(self) from None
        if memory.pushers:
            wake(memory.pushers)
        return DONE


class DirectQueue(AsyncQueue):
    """An `AsyncQueue` over a queue in memory that is not traced and has no TTL of its own."""

    def __init__(self, queue: Queue, memory: MemoryQueue) -> None:
        super().__init__(queue, DirectStoredQueue(queue, memory))
        self._memory = memory
        self._time, self._prefix, self._numbers = queue._time, queue._prefix, queue._numbers

    async def push(
        self,
        body: object,  # no star behind it: a default of a keyword-only argument costs a look-up in a dict
        timeout: float | None = None,
        delay: float = 0.0,
        ttl: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str | None:
        """Accept one message; see `AsyncQueue.push`."""
        if type(body) is not bytes or len(body) > MAX_BODY:
            body = encode(body)
        memory = self._memory
        if timeout is None and delay == 0.0 and ttl is None and headers is None and not memory._refusing:
            time = self._time  # `self._time()` would look for a method of that name first
            id = f"{self._prefix}{next(self._numbers)}"
            message = _new_message(Message)
            message.id, message.body, message.timestamp = id, body, time()
            message.attempts, message.headers, message.expires, message.failure = 1, NO_HEADERS, NEVER, None
            entering = map(memory._insert, memory._permits_now, (message,))
            try:
                next(map(memory._announce, memory._here, entering, memory._accepted))
                if memory.pullers:
                    wake(memory.pullers)
                return id
            except Empty:  # no room
                pass
            except TypeError:  # a None among the permits: the queue was closed
                raise memory._push_woken() from None
        return await super().push(body, timeout=timeout, delay=delay, ttl=ttl, headers=headers)

    def pull(self, timeout: float | None = None) -> AsyncPull:
        """Lease the message that has been ready longest; see `AsyncQueue.pull`."""
        if timeout is not None:
            return super().pull(timeout)
        delivery = DirectDelivery()
        delivery._direct_queue = self
        return delivery
