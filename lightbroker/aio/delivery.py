"""A delivery in the hands of a coroutine."""

from collections.abc import Awaitable, Generator
from contextlib import suppress
from types import coroutine
from typing import Any, Protocol

from lightbroker.core.errors import check_number
from lightbroker.core.message import MAX_ERROR, Leased, explain


@coroutine
def _nothing() -> Generator[None, None, None]:
    yield from ()


_started = _nothing()
with suppress(StopIteration):
    _started.send(None)
#: Awaiting it takes no time and can be repeated: a generator that is exhausted ends at once, each time.
DONE: Awaitable[None] = _started


class AsyncSettler(Protocol):
    """A `Settler` of which a method may also return an awaitable: what it does is done when that is."""

    def ack(self, delivery: Any) -> Awaitable[None] | None:
        """LEASED -> acked."""

    def nack(self, delivery: Any, error: str, trace: str, delay: float | None) -> Awaitable[None] | None:
        """LEASED -> DEAD if that was the last attempt, else DELAYED, or READY if the delay is 0."""

    def release(self, delivery: Any) -> Awaitable[None] | None:
        """LEASED -> READY, at the back; the delivery does not count."""

    def reject(self, delivery: Any, reason: str) -> Awaitable[None] | None:
        """LEASED -> DEAD."""

    def extend(self, delivery: Any, seconds: float) -> Awaitable[None] | None:
        """LEASED, the deadline at least `seconds` from now."""


class AsyncDelivery(Leased):
    """A message under a lease; the twin of `Delivery`, whose verbs are awaited: `await delivery.ack()`.

    Over the memory store the verb has done its work, or raised, when it returns, and the await does not suspend; other
    stores work in a thread of theirs while the coroutine waits. What was begun there is finished there, even if the
    coroutine is cancelled.
    """

    __slots__ = ()
    store: AsyncSettler

    def ack(self) -> Awaitable[None]:
        """The message is done. Raises LeaseLost if the lease is over, and then somebody else may do it again."""
        return self.store.ack(self) or DONE

    def nack(self, error: BaseException | str | None = None, delay: float | None = None) -> Awaitable[None]:
        """It failed: deliver it again after `delay` seconds (None: the queue's backoff); after the last try bury it.

        Raises LeaseLost if the lease is over.
        """
        text, trace = explain(error)
        delay = None if delay is None else check_number("delay", delay)
        return self.store.nack(self, text, trace, delay) or DONE

    def release(self) -> Awaitable[None]:
        """Give it back untried: it goes to the back of the queue and this delivery does not count as an attempt."""
        return self.store.release(self) or DONE

    def reject(self, reason: str) -> Awaitable[None]:
        """It will never succeed: make it a dead letter now, with `reason` as its error."""
        return self.store.reject(self, str(reason)[:MAX_ERROR]) or DONE

    def extend(self, seconds: float) -> Awaitable[None]:
        """Keep the lease for `seconds` from now; a lease is never shortened. Raises LeaseLost if it is over."""
        return self.store.extend(self, check_number("seconds", seconds, above=True)) or DONE
