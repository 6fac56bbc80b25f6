"""What one subscriber reads: its buffer, one message after the other."""

from collections.abc import Callable, Iterator
from queue import Empty
from types import TracebackType

from lightbroker.core.errors import QueueClosed, QueueEmpty
from lightbroker.core.message import Message
from lightbroker.core.queue import check_timeout
from lightbroker.core.stats import SubscriptionStats
from lightbroker.core.topic.buffer import Buffer
from lightbroker.core.waiting import attempt


class Subscription:
    """What one subscriber has yet to read. Iterate over it, or `get` one message at a time; close it when done.

    It delivers at most once, in the order of publishing. The overflow policy decides what happens when the buffer is
    full. `Broker.subscribe` makes subscriptions.

    Attributes:
        pattern: The topics that it listens to.
        group: The group that shares its buffer, if any.
    """

    def __init__(self, pattern: str, group: str | None, buffer: Buffer, leave: Callable[["Subscription"], None]):
        self.pattern = pattern
        self.group = group
        self.buffer = buffer
        self._leave = leave
        self._closed = False

    @property
    def dropped(self) -> int:
        """Messages that the overflow policy dropped from this buffer."""
        return self.buffer.stats().dropped

    def get(self, timeout: float | None = None) -> Message:
        """Return the next message.

        Args:
            timeout: Seconds to wait for one; 0 does not wait, None waits for ever.

        Raises:
            QueueEmpty: None came in time.
            QueueClosed: The subscription is closed.
        """
        wait = check_timeout(timeout)
        try:
            return self.take()
        except Empty:
            try:
                return attempt(self.buffer.pullers, self.take, wait)
            except Empty:
                raise QueueEmpty(f"subscription {self.pattern!r} had no message within {wait or 0.0:g} s") from None

    def take(self) -> Message:
        """Return the next message without waiting.

        Raises:
            queue.Empty: There is none.
            QueueClosed: The subscription is closed.
        """
        if self._closed:
            raise QueueClosed(f"the subscription to {self.pattern!r} is closed")
        return self.buffer.take()

    def __iter__(self) -> Iterator[Message]:
        """Yield every message until the subscription is closed."""
        while True:
            try:
                yield self.get()
            except QueueClosed:
                return

    def stats(self) -> SubscriptionStats:
        """Return what is buffered, and what happened to the rest."""
        now = self.buffer.stats()
        return SubscriptionStats(
            self.pattern, self.group, now.ready, now.capacity, now.accepted, now.acked, now.dropped, now.refused
        )

    def close(self) -> None:
        """Stop receiving. What is buffered is given up, unless other members of the group are left to read it."""
        if not self._closed:
            self._closed = True
            self._leave(self)

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()
