"""A queue as plain lists, one message at a time: what the broker must do, without how.

`ModelQueue` answers like `lightbroker.Queue`, except that it names messages by the labels that the test gives them.
"""

from dataclasses import dataclass, replace
from itertools import count
from operator import attrgetter

from lightbroker import LeaseLost, Overflow, QueueEmpty, QueueFull
from lightbroker.core.policy import QueueOptions

NEVER = float("inf")


@dataclass(frozen=True)
class Item:
    label: int
    pushed: float
    expires: float = NEVER
    attempts: int = 1
    error: str | None = None  #: of the last failure, None if it never failed
    first: float = 0.0
    last: float = 0.0
    seat: int | None = None  #: when this attempt was first ready: decides whose TTL runs out first at one instant

    def failed(self, error: str, at: float, attempts: int) -> "Item":
        first = at if self.error is None else self.first
        return replace(self, error=error, first=first, last=at, attempts=attempts, seat=None)


@dataclass
class Lease:
    item: Item
    deadline: float


@dataclass(frozen=True)
class Dead:
    item: Item
    reason: str
    first: float
    last: float


class ModelQueue:
    def __init__(self, options: QueueOptions, now: float) -> None:
        self.options, self.now = options, now
        self.seats = count()
        self.ready: list[Item] = []
        self.delayed: list[tuple[float, Item]] = []
        self.leased: list[Lease] = []  # in the order of the pulls
        self.dead: list[Dead] = []
        self.counts = dict.fromkeys(
            ("accepted", "acked", "dropped", "expired", "purged", "retried", "redriven", "refused"), 0
        )

    def stats(self) -> dict[str, int | None]:
        held = {name: len(getattr(self, name)) for name in ("ready", "delayed", "leased", "dead")}
        return {**held, "capacity": self.options.capacity, **self.counts}

    def full(self) -> bool:
        held = len(self.ready) + len(self.delayed) + len(self.leased)
        return self.options.capacity is not None and held >= self.options.capacity

    def push(self, label: int, delay: float, ttl: float | None) -> int | None:
        ttl = self.options.ttl if ttl is None else ttl
        item = Item(label, self.now, NEVER if ttl is None else self.now + ttl)
        if self.full():
            policy = self.options.overflow
            if policy in (Overflow.BLOCK, Overflow.REJECT):
                self.counts["refused"] += 1
                raise QueueFull("")
            self.counts["accepted"] += 1
            if policy is Overflow.DEAD_LETTER:
                self.bury(replace(item, attempts=0), "overflow")
                return label
            self.counts["dropped"] += 1
            if policy is Overflow.DROP_NEWEST or not self.ready:
                return None
            self.ready.pop(0)
        else:
            self.counts["accepted"] += 1
        self.put(item, delay)
        return label

    def push_many(self, labels: list[int], delay: float, ttl: float | None) -> list[int | None]:
        taken: list[int | None] = []
        for label in labels:
            try:
                taken.append(self.push(label, delay, ttl))
            except QueueFull:
                raise QueueFull("", tuple(str(label) for label in taken)) from None
        return taken

    def pull_many(self, most: int) -> list[Lease]:
        while self.ready and self.ready[0].expires <= self.now:  # its turn comes before the clock's
            self.expire(self.ready.pop(0))
        if not self.ready:
            raise QueueEmpty
        batch, self.ready = self.ready[:most], self.ready[most:]
        for item in batch:
            if item.expires <= self.now:
                self.expire(item)
        leases = [Lease(item, self.now + self.options.lease) for item in batch if item.expires > self.now]
        self.leased += leases
        return leases

    def take(self, lease: Lease) -> Item:
        if not any(held is lease for held in self.leased):
            raise LeaseLost("")
        self.leased = [held for held in self.leased if held is not lease]
        return lease.item

    def ack(self, lease: Lease) -> None:
        self.take(lease)
        self.counts["acked"] += 1

    def ack_many(self, leases: list[Lease]) -> None:
        lost = 0
        for lease in leases:
            try:
                self.ack(lease)
            except LeaseLost:
                lost += 1
        if lost:
            raise LeaseLost("")

    def nack(self, lease: Lease, error: str, delay: float | None) -> None:
        item, retry = self.take(lease), self.options.retry
        if item.attempts >= retry.max_attempts:
            self.bury(item.failed(error, self.now, item.attempts), "max_attempts")
            return
        backoff = min(retry.cap, retry.base * retry.factor ** (item.attempts - 1))
        self.counts["retried"] += 1
        self.put(item.failed(error, self.now, item.attempts + 1), backoff if delay is None else delay)

    def release(self, lease: Lease) -> None:
        self.put(self.take(lease), 0.0)

    def reject(self, lease: Lease, reason: str) -> None:
        item = self.take(lease)
        self.bury(item.failed(reason, self.now, item.attempts), "rejected")

    def extend(self, lease: Lease, seconds: float) -> None:
        if not any(held is lease for held in self.leased):
            raise LeaseLost("")
        lease.deadline = max(lease.deadline, self.now + seconds)

    def redrive(self, labels: list[int] | None, limit: int | None) -> int:
        wanted = [dead.item.label for dead in self.dead] if labels is None else list(dict.fromkeys(labels))
        letters = {dead.item.label: dead for dead in self.dead}
        moved = 0
        for label in [label for label in wanted if label in letters][:limit]:
            if self.full():
                break
            self.dead.remove(letters[label])
            self.put(Item(label, letters[label].item.pushed), 0.0)
            moved += 1
        self.counts["redriven"] += moved
        return moved

    def purge(self) -> int:
        purged, self.dead = len(self.dead), []
        self.counts["purged"] += purged
        return purged

    def put(self, item: Item, delay: float) -> None:
        if delay:
            self.delayed.append((self.now + delay, item))
        else:
            self.ready.append(item if item.seat is not None else replace(item, seat=next(self.seats)))

    def bury(self, item: Item, reason: str) -> None:
        failed = item.error is not None
        self.dead.append(Dead(item, reason, item.first if failed else self.now, item.last if failed else self.now))
        if self.options.dead_capacity is not None and len(self.dead) > self.options.dead_capacity:
            self.dead.pop(0)
            self.counts["dropped"] += 1

    def expire(self, item: Item) -> None:
        if item.error is None:
            self.counts["expired"] += 1
        else:
            self.bury(replace(item, attempts=item.attempts - 1), "expired")

    def advance(self, seconds: float) -> None:
        until = self.now + seconds
        while (event := self.due()) <= until:
            self.now = max(self.now, event)
            self.tick()
        self.now = until

    def due(self) -> float:
        events = [due for due, _ in self.delayed] + [item.expires for item in self.ready]
        return min([*events, *(lease.deadline for lease in self.leased)], default=NEVER)

    def tick(self) -> None:
        for entry in sorted(self.delayed, key=lambda entry: entry[0]):
            if entry[0] <= self.now:
                self.delayed.remove(entry)
                self.put(entry[1], 0.0)
        for item in sorted(self.ready, key=attrgetter("expires", "seat")):
            if item.expires <= self.now:
                self.ready.remove(item)
                self.expire(item)
        for lease in list(self.leased):
            if lease.deadline <= self.now:
                self.nack(lease, f"LeaseExpired: not settled within {self.options.lease:g} s", None)


class SharedModelQueue(ModelQueue):
    """As stores do that several processes share: a pull moves on all that is due, not what it meets alone."""

    def pull_many(self, most: int) -> list[Lease]:
        while self.due() <= self.now:
            self.tick()
        return super().pull_many(most)
