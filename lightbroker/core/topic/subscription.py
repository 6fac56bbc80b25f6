"""What one subscriber has yet to read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from queue import Empty
from types import TracebackType

from lightbroker.core.errors import QueueClosed, QueueEmpty
from lightbroker.core.message import Message
from lightbroker.core.queue import check_timeout
from lightbroker.core.topic.buffer import Buffer
from lightbroker.core.waiting import attempt


@dataclass(frozen=True)
class SubscriptionStats:
    """The numbers of one buffer; the members of a group share one."""

    pattern: str
    group: str | None
    buffered: int
    capacity: int | None
    received: int
    delivered: int
    dropped: int
    refused: int

    def __add__(self, other: "SubscriptionStats") -> "SubscriptionStats":
        counts = ("buffered", "received", "delivered", "dropped", "refused")
        return replace(self, **{name: getattr(self, name) + getattr(other, name) for name in counts})


class Subscription:
    """What one subscriber has yet to read: iterate over it, or `get` one message at a time; close it when done.

    It delivers at most once, in the order of publishing. The policy decides what a full buffer does. Made by
    `Broker.subscribe`.
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
        """The next message, within `timeout` seconds (0: at once, None: for ever).

        Raises QueueEmpty, or QueueClosed once the subscription is closed.
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
        """The next message; raises Empty if there is none, or QueueClosed."""
        if self._closed:
            raise QueueClosed(f"the subscription to {self.pattern!r} is closed")
        return self.buffer.take()

    def __iter__(self) -> Iterator[Message]:
        """Every message until the subscription is closed."""
        while True:
            try:
                yield self.get()
            except QueueClosed:
                return

    def stats(self) -> SubscriptionStats:
        """What is buffered, and what happened to the rest."""
        now = self.buffer.stats()
        return SubscriptionStats(
            self.pattern, self.group, now.ready, now.capacity, now.accepted, now.acked, now.dropped, now.refused
        )

    def close(self) -> None:
        """Stop receiving; what is buffered is given up, unless other members of the group are left to read it."""
        if not self._closed:
            self._closed = True
            self._leave(self)

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()
