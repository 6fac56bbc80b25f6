"""The hot path over a queue in memory: push, pull and ack without the calls in between, which cost a quarter of them.

Each makes the very step of its namesake in `MemoryQueue`, as `MemoryStore.offer` does, if nothing is out of the
ordinary; whatever is goes the long way, which is that of every store.
"""

from collections.abc import Awaitable, Generator, Mapping
from queue import Empty
from typing import Any

from lightbroker.aio.delivery import DONE, AsyncDelivery
from lightbroker.aio.pull import AsyncPull
from lightbroker.aio.queue import AsyncQueue
from lightbroker.aio.stores import DirectStore
from lightbroker.message import MAX_BODY, Message, encode
from lightbroker.queue import Queue
from lightbroker.storage.memory import MemoryQueue
from lightbroker.storage.waiting import rouse


class DirectDelivery(AsyncDelivery):
    """A delivery from a queue in memory."""

    __slots__ = ()
    store: MemoryQueue

    def ack(self) -> Awaitable[None]:
        """The message is done. Raises LeaseLost if the lease is over, and then somebody else may do it again."""
        queue = self.store
        if queue._note is not None:
            return super().ack()
        try:
            next(map(queue._leave, queue._places, map(queue._unlease, (self,)), queue._acked))
        except KeyError:
            raise queue._lost(self) from None
        if queue._pushers:
            rouse(queue._pushers)
        return DONE


class DirectPull(AsyncPull):
    """A pull from a queue in memory."""

    __slots__ = ("queue",)
    queue: MemoryQueue

    def __await__(self) -> Generator[Any, Any, AsyncDelivery]:
        queue = self.queue
        if not queue._closed and queue._note is None:
            delivery = DirectDelivery()
            try:
                message = next(map(queue._lease, (delivery,), queue._take_now))
            except Empty:
                pass
            except IndexError:  # an empty deque among the tokens
                raise queue._pull_woken() from None
            else:
                now = queue._now()
                if message.expires > now:
                    delivery.store = queue
                    delivery.message = message
                    delivery.deadline = now + queue._lease_seconds
                    return delivery
                queue._expire_leased(delivery, message)
        return (yield from super().__await__())


class DirectQueue(AsyncQueue):
    """The twin of a queue in memory."""

    def __init__(self, threads: Queue, queue: MemoryQueue) -> None:
        super().__init__(threads, DirectStore(threads, queue))
        self._queue = queue
        self._plain = threads.options.ttl is None and queue._note is None
        self._time, self._prefix, self._numbers = threads._time, threads._prefix, threads._numbers

    async def push(
        self,
        body: object,
        *,
        timeout: float | None = None,
        delay: float = 0.0,
        ttl: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str | None:
        """Accept one message; see `AsyncQueue.push`."""
        if type(body) is not bytes or len(body) > MAX_BODY:
            body = encode(body)
        queue = self._queue
        if timeout is None and delay == 0.0 and ttl is None and headers is None and self._plain and not queue._refusing:
            time = self._time
            id = f"{self._prefix}{next(self._numbers)}"
            entering = map(queue._insert, queue._permits_now, (Message(id, body, time()),))
            try:
                next(map(queue._announce, queue._here, entering, queue._accepted))
                if queue._pullers:
                    rouse(queue._pullers)
                return id
            except (Empty, TypeError):  # no room, or a None among the permits
                pass
        return await super().push(body, timeout=timeout, delay=delay, ttl=ttl, headers=headers)

    def pull(self, timeout: float | None = None) -> AsyncPull:
        """Lease the message that has been ready longest; see `AsyncQueue.pull`."""
        if timeout is not None:
            return super().pull(timeout)
        pull = DirectPull()
        pull.queue, pull.store, pull.timeout = self._queue, self.store, None
        return pull
