"""The hot path over a plain queue in memory, which is not traced and gives its messages no TTL.

Push, pull and ack make the very step of their namesakes in `MemoryQueue`, as `buffer.offer` does, but without the
calls in between, which cost a quarter of their time. Whatever is out of the ordinary goes the long way of every store.
"""

from collections.abc import Awaitable, Generator, Mapping
from queue import Empty
from types import TracebackType
from typing import Any

from lightbroker.aio.delivery import DONE, AsyncDelivery
from lightbroker.aio.pull import AsyncPull, again, settle
from lightbroker.aio.queue import AsyncQueue
from lightbroker.aio.stores import DirectStore
from lightbroker.core.memory.queue import MemoryQueue
from lightbroker.core.message import MAX_BODY, NEVER, NO_HEADERS, Message, encode
from lightbroker.core.queue import Queue
from lightbroker.core.waiting import rouse

_blank = Message.__new__  # the call of `__init__` would take as long as filling it


class DirectDelivery(AsyncDelivery, AsyncPull):
    """A delivery from a plain queue in memory, and before that the pull which gets it.

    A store makes the key of a lease before it has a message. Here the key is made when the pull is, so that one object
    is enough for both; its user sees an `AsyncPull` before the await, and an `AsyncDelivery` behind it.
    """

    __slots__ = ("_held", "_running", "twin")
    store: MemoryQueue
    twin: "DirectQueue | None"

    def __await__(self) -> Generator[Any, Any, AsyncDelivery]:
        twin = self.twin
        if twin is None:
            raise again()
        self.twin = None  # at once: a key that leased a second message would lose the first
        queue = twin.memory
        if queue._closed:
            raise queue._closed_error()
        try:
            message = next(map(queue._lease, (self,), queue._take_now))
        except Empty:
            pass
        except IndexError:  # an empty deque among the tokens
            raise queue._pull_woken() from None
        else:
            monotonic = queue._now  # calling an attribute that is no method takes a look-up more
            now = monotonic()
            if message.expires > now:
                self.store = queue
                self.message = message
                self.deadline = now + queue._lease_seconds
                return self
            queue._expire_leased(self, message)
        return (yield from twin.store.pull(None).__await__())

    async def __aenter__(self) -> Message:
        delivery = await self
        self._held = delivery if delivery is not self else None  # not itself: that would be a circle
        return delivery.message

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._held is None:
            self.ack()
        else:
            await settle(self._held or self, error)

    def ack(self) -> Awaitable[None]:
        """The message is done. Raises LeaseLost if the lease is over, and then somebody else may do it again."""
        queue = self.store
        try:
            next(zip(map(queue._unlease, (self,)), queue._ack))
        except KeyError:
            raise queue._lost(self) from None
        if queue.pushers:
            rouse(queue.pushers)
        return DONE


class DirectQueue(AsyncQueue):
    """The twin of a plain queue in memory."""

    def __init__(self, threads: Queue, memory: MemoryQueue) -> None:
        super().__init__(threads, DirectStore(threads, memory))
        self.memory = memory
        self._time, self._prefix, self._numbers = threads._time, threads._prefix, threads._numbers

    async def push(
        self,
        body: object,  # no star behind it: at each call a default that is for a keyword only would take a look-up
        timeout: float | None = None,
        delay: float = 0.0,
        ttl: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str | None:
        """Accept one message; see `AsyncQueue.push`."""
        if type(body) is not bytes or len(body) > MAX_BODY:
            body = encode(body)
        queue = self.memory
        if timeout is None and delay == 0.0 and ttl is None and headers is None and not queue._refusing:
            time = self._time  # calling an attribute that is no method takes a look-up more
            id = f"{self._prefix}{next(self._numbers)}"
            message = _blank(Message)
            message.id, message.body, message.timestamp = id, body, time()
            message.attempts, message.headers, message.expires, message.failure = 1, NO_HEADERS, NEVER, None
            entering = map(queue._insert, queue._permits_now, (message,))
            try:
                next(map(queue._announce, queue._here, entering, queue._accepted))
                if queue.pullers:
                    rouse(queue.pullers)
                return id
            except Empty:  # no room
                pass
            except TypeError:  # a None among the permits
                raise queue._push_woken() from None
        return await super().push(body, timeout=timeout, delay=delay, ttl=ttl, headers=headers)

    def pull(self, timeout: float | None = None) -> AsyncPull:
        """Lease the message that has been ready longest; see `AsyncQueue.pull`."""
        if timeout is not None:
            return super().pull(timeout)
        delivery = DirectDelivery()
        delivery.twin = self
        return delivery
