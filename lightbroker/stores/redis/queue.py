"""A queue in Redis: the methods of the contract. See `redis` for what is promised, `lua/` for what is done."""

from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import count
from queue import Empty

from lightbroker.core import errors
from lightbroker.core.clock import Clock
from lightbroker.core.errors import BrokerError, QueueClosed
from lightbroker.core.message import MAX_BODY, DeadLetter, Delivery, Message
from lightbroker.core.policy import Overflow, QueueOptions
from lightbroker.core.stats import QueueStats
from lightbroker.core.store import Excerpt, Note, pull_some, push_all
from lightbroker.core.waiting import Sleepers
from lightbroker.stores.redis.commands import MOST, QueueCommands
from lightbroker.stores.redis.link import RedisLink
from lightbroker.stores.redis.records import BODY, INFINITY, RedisDelivery
from lightbroker.stores.redis.runs import QueueRuns
from lightbroker.stores.redis.scripts import ScriptCall
from lightbroker.stores.redis.waiting import Listener


class RedisQueue(QueueRuns):
    """See `QueueStore`, `Inspectable` and `Waitable` for what each method promises."""

    def __init__(
        self,
        link: RedisLink,
        listener: Listener,
        commands: QueueCommands,
        name: str,
        options: QueueOptions,
        clock: Clock,
        note: Note | None,
    ) -> None:
        super().__init__(link, commands, name, clock, note)
        self._listener, self._options = listener, options
        self._refusing = False
        self._stops = options.capacity is not None and options.overflow in (Overflow.BLOCK, Overflow.REJECT)
        self._slots: deque[int] = deque()  # names for pushes, of which each is used by one at a time
        self._new_slots = count()
        commands.check_opened(self._do(commands.open()))
        self._catch_up()

    def push(self, message: Message, timeout: float | None, delay: float) -> bool:
        return self.push_many((message,), timeout, delay)[0]

    def push_many(self, messages: Sequence[Message], timeout: float | None, delay: float) -> list[bool]:
        return push_all(self, messages, [], timeout, delay, blocks=self._options.overflow is Overflow.BLOCK)

    @property
    def pushers(self) -> Sleepers:
        return self._line.pushers

    def enter(self, messages: Sequence[Message], taken: list[bool], delay: float, last: bool = False) -> None:
        if self._refusing:
            raise self._closed_error()
        if not last and not self._line.heard:
            self._enter(messages, taken, delay, b"no")  # most enter at once, and need nobody who listens
            if len(taken) == len(messages):
                return
            self._listener.attend(self._line)
        waits = b"others" if len(self._line.pushers) > 1 else b"wait"
        self._enter(messages, taken, delay, b"refuse" if last else waits)
        if len(taken) < len(messages):
            raise errors.full(self._name, self._options.capacity) if last else Empty

    def _enter(self, messages: Sequence[Message], taken: list[bool], delay: float, blocked: bytes) -> None:
        """Push what is not in yet, as much as there is room for."""
        portions = self._commands.portions(messages[len(taken) :] if taken else messages)
        together = 1 if self._stops else len(portions)  # nothing may overtake a message that found no room
        for start in range(0, len(portions), together):
            batch = portions[start : start + together]
            slots = [self._slot() for _ in batch]
            requests = [self._commands.push(portion, slot, delay, blocked) for portion, slot in zip(batch, slots)]
            for portion, reply in zip(batch, self._do_all(requests)):
                entered = self._commands.read_pushed(reply)
                taken += entered
                if len(entered) < len(portion):
                    return
            self._slots.extend(slots)

    def _slot(self) -> int:
        try:
            return self._slots.pop()
        except IndexError:
            return next(self._new_slots)

    def pull(self, timeout: float | None) -> Delivery:
        return self.pull_many(1, timeout)[0]

    def pull_many(self, most: int, timeout: float | None) -> list[Delivery]:
        try:
            return pull_some(self, most, timeout)
        except Empty:
            raise errors.empty(self._name, timeout) from None

    @property
    def pullers(self) -> Sleepers:
        return self._line.pullers

    def lease(self, most: int, last: bool = False) -> list[Delivery]:
        if last:
            return self._lease(most, b"no")
        if not self._line.heard and not self._closed:
            with suppress(Empty):
                return self._lease(most, b"no")  # what is READY needs nobody who listens
            self._listener.attend(self._line)
        return self._lease(most, b"others" if len(self._line.pullers) > 1 else b"wait")

    def _lease(self, most: int, waits: bytes) -> list[Delivery]:
        """Lease what is READY; raises Empty if nothing is."""
        if self._closed:
            raise self._closed_error()
        deliveries, more = self._lease_some(most, waits)
        if not deliveries:
            raise Empty
        with suppress(BrokerError):  # what was leased so far is leased
            while more:
                others, more = self._lease_some(most - len(deliveries), b"no")
                deliveries += others
        return deliveries

    def _lease_some(self, most: int, waits: bytes) -> tuple[list[Delivery], bool]:
        """Lease as many as one run of the script does, and whether to go on."""
        while True:
            deadline = self._clock.monotonic() + self._options.lease
            reply = self._do(self._commands.pull(most, waits))
            overdue = self._commands.read_expired(reply)
            if overdue is None:
                if deliveries := self._commands.read_pulled(reply, self, deadline):
                    self._remind(self._options.lease)
                return deliveries, self._commands.has_more(reply)
            self._end(overdue)

    def ack(self, delivery: Delivery) -> None:
        if self._ack((delivery,)):
            raise self._commands.lost(delivery)

    def ack_many(self, deliveries: Iterable[Delivery]) -> None:
        deliveries = list(deliveries)
        if lost := self._ack(deliveries):
            raise errors.some_lost(len(lost), len(deliveries), self._commands.lost(lost[0]))

    def _ack(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        leases: list[RedisDelivery] = []
        lost: list[Delivery] = []
        for delivery in deliveries:
            if isinstance(delivery, RedisDelivery) and delivery.store is self:
                leases.append(delivery)
            else:
                lost.append(delivery)
        portions = [leases[start : start + MOST] for start in range(0, len(leases), MOST)]
        requests = [self._commands.ack(portion) for portion in portions]
        for request, portion, reply in zip(requests, portions, self._do_all(requests)):
            lost += self._commands.read_lost(request, reply, portion)
        return lost

    def nack(self, delivery: Delivery, error: str, trace: str, delay: float | None) -> None:
        lease = self._own(delivery)
        self._settle(self._commands.nack(lease, error, trace, delay), lease)

    def release(self, delivery: Delivery) -> None:
        lease = self._own(delivery)
        self._settle(self._commands.release(lease), lease)

    def reject(self, delivery: Delivery, reason: str) -> None:
        lease = self._own(delivery)
        self._settle(self._commands.reject(lease, reason), lease)

    def extend(self, delivery: Delivery, seconds: float) -> None:
        lease = self._own(delivery)
        deadline = self._clock.monotonic() + seconds
        until = self._settle(self._commands.extend(lease, seconds), lease)
        if until > lease.until:
            lease.until, lease.deadline = until, deadline

    def _own(self, delivery: Delivery) -> RedisDelivery:
        if isinstance(delivery, RedisDelivery) and delivery.store is self:
            return delivery
        raise self._commands.lost(delivery)

    def _settle(self, request: ScriptCall, lease: RedisDelivery) -> int:
        return self._commands.read_settled(request, self._do(request), lease)

    def dead_letters(self) -> list[DeadLetter]:
        return [excerpt.letter for excerpt in self.oldest_dead(INFINITY, MAX_BODY)]

    def oldest_dead(self, most: int, shown: int) -> list[Excerpt]:
        found: list[Excerpt] = []
        last = b"-1"
        while last and len(found) < most:
            request = self._commands.oldest_dead(last, most - len(found), shown)
            some, last = self._commands.read_dead_letters(self._do(request))
            found += some
        return found

    def newest_dead(self, most: int, shown: int) -> list[Excerpt]:
        found, _ = self._commands.read_dead_letters(self._do(self._commands.newest_dead(most, shown)))
        return found[::-1]

    def oldest(self) -> float | None:
        return self._commands.read_oldest(self._do(self._commands.oldest()))

    def redrive(self, ids: Iterable[str] | None, limit: int | None) -> int:
        chosen = None if ids is None else list(dict.fromkeys(ids))
        most = INFINITY if limit is None else limit
        moved = start = 0
        while moved < most and (chosen is None or start < len(chosen)):
            if self._refusing:
                raise self._closed_error()
            portion = None if chosen is None else chosen[start : start + MOST]
            some, full = self._do(self._commands.redrive(most - moved, portion))[BODY:]
            moved, start = moved + some, start + MOST
            if full or (chosen is None and some < MOST):
                break
            if most == INFINITY:
                most = moved + self.stats().dead  # and not those that die meanwhile
        return moved

    def purge(self) -> int:
        purged = 0
        while True:
            some: int = self._do(self._commands.purge())[BODY]
            purged += some
            if some < MOST:
                return purged

    def stats(self) -> QueueStats:
        return self._commands.read_stats(self._do(self._commands.stats()))

    def check(self) -> None:
        self._commands.check(self._do(self._commands.stats()))

    def refuse(self) -> None:
        self._refusing = True
        self._line.rouse()

    def close(self) -> None:
        self._closed = True
        self.refuse()
        self._alarm.cancel()

    def _closed_error(self) -> QueueClosed:
        return errors.closed(self._name, draining=not self._closed)
