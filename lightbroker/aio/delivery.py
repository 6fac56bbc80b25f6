"""What a coroutine can do with a message under a lease."""

from collections.abc import Awaitable, Generator
from contextlib import suppress
from types import coroutine
from typing import Any, Protocol

from lightbroker.core.errors import check_number
from lightbroker.core.message import MAX_ERROR, Leased, explain


@coroutine
def _nothing() -> Generator[None, None, None]:
    yield from ()


_exhausted = _nothing()
with suppress(StopIteration):
    _exhausted.send(None)
#: Awaiting it does not suspend and can be repeated, because an exhausted generator ends at once each time.
DONE: Awaitable[None] = _exhausted


class AsyncSettler(Protocol):
    """A `Settler` whose methods may return an awaitable. Then the work is done when the awaitable is done."""

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
    """A message under a lease, to be settled once: `await delivery.ack()`, or `nack`, `release` or `reject`.

    Every verb raises LeaseLost if the lease is over. Then another consumer may have the message.

    Over the store in memory, a verb has done its work, or raised, when the call returns. The await does not suspend.
    Other stores do the work in a thread while the coroutine waits. Cancelling that await is safe: the message is
    settled all the same.

    Attributes:
        message: The message.
        deadline: When the lease runs out, in seconds of the broker's clock (`clock.monotonic()`).
    """

    __slots__ = ()
    stored: AsyncSettler

    def ack(self) -> Awaitable[None]:
        """Settle the message as done.

        Raises:
            LeaseLost: The lease is over, and another consumer may do the message again.
        """
        return self.stored.ack(self) or DONE

    def nack(self, error: BaseException | str | None = None, delay: float | None = None) -> Awaitable[None]:
        """Report that the attempt failed. The message is delivered again, or is a dead letter after its last attempt.

        Args:
            error: Why it failed. Of an exception, the traceback is kept too.
            delay: Seconds until the message is ready again (None: the queue's backoff).

        Raises:
            LeaseLost: The lease is over.
        """
        text, trace = explain(error)
        delay = None if delay is None else check_number("delay", delay)
        return self.stored.nack(self, text, trace, delay) or DONE

    def release(self) -> Awaitable[None]:
        """Give the message back untried. It goes to the back of the queue, and this delivery is no attempt.

        Raises:
            LeaseLost: The lease is over.
        """
        return self.stored.release(self) or DONE

    def reject(self, reason: str) -> Awaitable[None]:
        """Make the message a dead letter now, because no attempt will ever succeed.

        Args:
            reason: Why; it is kept as the dead letter's error.

        Raises:
            LeaseLost: The lease is over.
        """
        return self.stored.reject(self, str(reason)[:MAX_ERROR]) or DONE

    def extend(self, seconds: float) -> Awaitable[None]:
        """Keep the lease for `seconds` from now. A lease is never shortened.

        Raises:
            LeaseLost: The lease is over.
        """
        return self.stored.extend(self, check_number("seconds", seconds, above=True)) or DONE
