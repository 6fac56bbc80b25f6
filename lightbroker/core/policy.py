"""Decisions without side effects: what a full queue does, when a failure is retried, what a queue may hold."""

import enum
import json
import random
from dataclasses import asdict, dataclass, field, fields

from lightbroker.core.errors import check_count, check_number

MIN_LEASE = 0.001  #: seconds; how often an idle queue looks after its leases depends on it


class Overflow(enum.Enum):
    """What a push does when the queue is full.

    Each store does it in one place: in `core/memory/overflow.py`, in `Transitions._overflow` of
    `stores/sqlite/transitions.py`, and in `stores/redis/lua/push.lua`. `tests/contract/test_overflow.py` compares them.
    """

    BLOCK = "block"  #: wait for room, at most `timeout` seconds, then raise QueueFull
    REJECT = "reject"  #: raise QueueFull at once
    DROP_NEWEST = "drop_newest"  #: drop the message that is being pushed
    DROP_OLDEST = "drop_oldest"  #: drop the message that has been ready longest; if none is ready, the new one
    DEAD_LETTER = "dead_letter"  #: put the message into the dead-letter queue


@dataclass(frozen=True)
class Retry:
    """How often a message is delivered, and how long it waits after a failure.

    The wait is exponential with full jitter: uniform between 0 and `min(cap, base * factor ** (attempt - 1))` seconds
    (Marc Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015).

    Args:
        max_attempts: Deliveries before the message becomes a dead letter.
        base: The bound of the first wait, in seconds.
        factor: By how much the bound grows with each attempt.
        cap: The largest bound, in seconds.
        jitter: Whether the wait is drawn at random below the bound; without, it is the bound.
        seed: Makes the waits of a queue repeat.
    """

    max_attempts: int = 5
    base: float = 0.1
    factor: float = 2.0
    cap: float = 30.0
    jitter: bool = True
    seed: int | None = None

    def __post_init__(self) -> None:
        check_count("retry.max_attempts", self.max_attempts)
        check_number("retry.base", self.base)
        check_number("retry.factor", self.factor, 1.0)
        check_number("retry.cap", self.cap)
        if not isinstance(self.jitter, bool):
            raise TypeError(f"retry.jitter must be True or False, not {self.jitter!r}")
        if self.seed is not None and (isinstance(self.seed, bool) or not isinstance(self.seed, int)):
            raise TypeError(f"retry.seed must be a whole number or None, not {self.seed!r}")

    def wait_after(self, attempt: int, delay: float | None, rng: random.Random) -> float | None:
        """Return the seconds between delivery number `attempt`, which failed, and the next; None if it was the last.

        Args:
            attempt: 1 for the first delivery.
            delay: What the consumer asked for, in seconds (None: the backoff).
            rng: Where jitter comes from.
        """
        if attempt >= self.max_attempts:
            return None
        return self.delay(attempt, rng) if delay is None else delay

    def delay(self, attempt: int, rng: random.Random) -> float:
        """Return the seconds to wait after delivery number `attempt` (1 is the first) has failed."""
        try:
            bound = min(self.cap, self.base * self.factor ** (attempt - 1))
        except OverflowError:
            bound = self.cap if self.base else 0.0
        return rng.uniform(0.0, bound) if self.jitter else bound


@dataclass(frozen=True)
class QueueOptions:
    """What a queue was declared with; see `Broker.queue`."""

    capacity: int | None = 10_000
    overflow: Overflow = Overflow.BLOCK
    lease: float = 30.0
    retry: Retry = field(default_factory=Retry)
    ttl: float | None = None
    dead_capacity: int | None = 10_000

    def __post_init__(self) -> None:
        if self.capacity is not None:
            check_count("capacity", self.capacity)
        if not isinstance(self.overflow, Overflow):
            raise TypeError(f"overflow must be a member of Overflow, not {self.overflow!r}")
        check_number("lease", self.lease, MIN_LEASE)
        if not isinstance(self.retry, Retry):
            raise TypeError(f"retry must be a Retry, not {self.retry!r}")
        if self.ttl is not None:
            check_number("ttl", self.ttl, above=True)
        if self.dead_capacity is not None:
            check_count("dead_capacity", self.dead_capacity)

    def differences(self, other: "QueueOptions") -> str:
        """Return in words what is different in `other`."""
        triples = ((f.name, getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return ", ".join(f"{name}={mine!r} (it has {theirs!r})" for name, mine, theirs in triples if mine != theirs)

    def to_json(self) -> str:
        """Return the options as a store keeps them beside its queue."""
        return json.dumps({**asdict(self), "overflow": self.overflow.value})

    @classmethod
    def from_json(cls, text: str) -> "QueueOptions":
        """Return the options that `to_json` wrote."""
        fields = json.loads(text)
        return cls(**{**fields, "overflow": Overflow(fields["overflow"]), "retry": Retry(**fields["retry"])})
