"""The numbers of queues, subscriptions and brokers."""

from dataclasses import dataclass, replace

from lightbroker.core.errors import InvariantError


@dataclass(frozen=True)
class QueueStats:
    """What a queue holds now, and what happened to everything that it ever accepted."""

    ready: int
    delayed: int
    leased: int
    dead: int
    capacity: int | None
    accepted: int
    acked: int
    dropped: int
    expired: int
    purged: int
    retried: int  #: deliveries that failed and were followed by another
    redriven: int  #: dead letters that were made ready again
    refused: int  #: pushes that ended in QueueFull, which accepted nothing

    @property
    def held(self) -> int:
        """Messages that take room: ready, delayed and leased."""
        return self.ready + self.delayed + self.leased

    def check(self, name: str) -> None:
        """Raise InvariantError if the conservation law does not hold for these numbers, read at a quiet instant."""
        accounted = self.held + self.acked + self.dead + self.dropped + self.expired + self.purged
        if self.accepted != accounted:
            raise InvariantError(f"queue {name!r} accepted {self.accepted} messages, accounts for {accounted}: {self}")
        if self.capacity is not None and self.held > self.capacity:
            raise InvariantError(f"queue {name!r} holds {self.held} messages, more than its capacity: {self}")


@dataclass(frozen=True)
class SubscriptionStats:
    """The numbers of one buffer. The members of a group share one."""

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


@dataclass(frozen=True)
class BrokerStats:
    """The numbers of every queue and of every subscriber's buffer.

    Attributes:
        queues: By the queue's name.
        subscriptions: One entry for each buffer.
        departed: By pattern, the sums of subscribers that have left while others listen to the same without a group.
    """

    queues: dict[str, QueueStats]
    subscriptions: tuple[SubscriptionStats, ...]
    departed: tuple[SubscriptionStats, ...]
