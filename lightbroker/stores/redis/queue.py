"""A queue in Redis: the methods of the contract in `lightbroker/core/store.py`. The scripts in `lua/` do the work.

To find a step: `push` pushes (`lua/push.lua`, which also drops the oldest of a full queue), `lease` pulls
(`lua/pull.lua`). `nack` retries a message (`lua/fail.lua`). A lease that expired is found by `QueueRunner.catch_up` (in
`runner`) or by the next pull, and ended in `QueueRunner.expire_leases`, by `lua/fail.lua` again. `ack` acks
(`lua/ack.lua`).
"""

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
from lightbroker.core.store import Excerpt, pull_some, push_all
from lightbroker.core.waiting import Waiters
from lightbroker.stores.redis.commands import MOST, QueueCommands
from lightbroker.stores.redis.records import BODY, INFINITY, RedisDelivery
from lightbroker.stores.redis.runner import QueueRunner
from lightbroker.stores.redis.scripts import ScriptCall
from lightbroker.stores.redis.subscriber import Subscriber


class RedisQueue:
    """See `StoredQueue`, `Inspectable` and `Waitable` for what each method promises."""

    def __init__(
        self,
        runner: QueueRunner,
        subscriber: Subscriber,
        commands: QueueCommands,
        name: str,
        options: QueueOptions,
        clock: Clock,
    ) -> None:
        self._runner, self._subscriber, self._commands = runner, subscriber, commands
        self._name, self._options, self._clock = name, options, clock
        self._refusing = self._closed = False
        self._stops = options.capacity is not None and options.overflow in (Overflow.BLOCK, Overflow.REJECT)
        self._producers: deque[int] = deque()  # those that no push uses now, see `QueueCommands.push`
        self._new_producers = count()
        commands.check_opened(runner.run(commands.open()))
        runner.catch_up()

    def push(self, message: Message, timeout: float | None, delay: float) -> bool:
        return self.push_many((message,), timeout, delay)[0]

    def push_many(self, messages: Sequence[Message], timeout: float | None, delay: float) -> list[bool]:
        return push_all(self, messages, [], timeout, delay, blocks=self._options.overflow is Overflow.BLOCK)

    @property
    def pushers(self) -> Waiters:
        return self._runner.pushers

    def enter(self, messages: Sequence[Message], taken: list[bool], delay: float, last: bool = False) -> None:
        if self._refusing:
            raise self._closed_error()
        if not last and not self._runner.subscribed:
            self._enter(messages, taken, delay, b"no")  # no subscription is needed unless the push has to wait
            if len(taken) == len(messages):
                return
            self._subscriber.subscribe(self._runner)
        waits = b"others" if len(self._runner.pushers) > 1 else b"wait"
        self._enter(messages, taken, delay, b"refuse" if last else waits)
        if len(taken) < len(messages):
            raise errors.full(self._name, self._options.capacity) if last else Empty

    def _enter(self, messages: Sequence[Message], taken: list[bool], delay: float, blocked: bytes) -> None:
        """Push what is not in yet, as much as there is room for; `blocked` is explained in `lua/push.lua`."""
        portions = self._commands.portions(messages[len(taken) :] if taken else messages)
        together = 1 if self._stops else len(portions)  # nothing may overtake a message that found no room
        for start in range(0, len(portions), together):
            batch = portions[start : start + together]
            producers = [self._free_producer() for _ in batch]
            calls = [
                self._commands.push(portion, producer, delay, blocked) for portion, producer in zip(batch, producers)
            ]
            for portion, reply in zip(batch, self._runner.run_all(calls)):
                entered = self._commands.read_pushed(reply)
                taken += entered
                if len(entered) < len(portion):
                    return
            self._producers.extend(producers)

    def _free_producer(self) -> int:
        try:
            return self._producers.pop()
        except IndexError:
            return next(self._new_producers)

    def pull(self, timeout: float | None) -> Delivery:
        return self.pull_many(1, timeout)[0]

    def pull_many(self, most: int, timeout: float | None) -> list[Delivery]:
        return pull_some(self, self._name, most, timeout)

    @property
    def pullers(self) -> Waiters:
        return self._runner.pullers

    def lease(self, most: int, last: bool = False) -> list[Delivery]:
        if last:
            return self._lease(most, b"no")
        if not self._runner.subscribed and not self._closed:
            with suppress(Empty):
                return self._lease(most, b"no")  # for what is READY there is no need to hear of other processes
            self._subscriber.subscribe(self._runner)
        return self._lease(most, b"others" if len(self._runner.pullers) > 1 else b"wait")

    def _lease(self, most: int, waits: bytes) -> list[Delivery]:
        """Lease what is READY, or raise Empty; `waits` is explained in `lua/pull.lua`."""
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
        """Lease as many as one call of the script does; return them, and whether to go on."""
        while True:
            deadline = self._clock.monotonic() + self._options.lease
            reply = self._runner.run(self._commands.pull(most, waits))
            expired = self._commands.read_expired(reply)
            if expired is None:
                if deliveries := self._commands.read_pulled(reply, self, deadline):
                    self._runner.look_in(self._options.lease)
                return deliveries, self._commands.has_more(reply)
            self._runner.expire_leases(expired)

    def ack(self, delivery: Delivery) -> None:
        if self._ack((delivery,)):
            raise self._commands.lost(delivery)

    def ack_many(self, deliveries: Iterable[Delivery]) -> None:
        deliveries = list(deliveries)
        if lost := self._ack(deliveries):
            raise errors.some_lost(len(lost), len(deliveries), self._commands.lost(lost[0]))

    def _ack(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Ack those whose lease holds; return the others."""
        own: list[RedisDelivery] = []
        lost: list[Delivery] = []
        for delivery in deliveries:
            if isinstance(delivery, RedisDelivery) and delivery.stored is self:
                own.append(delivery)
            else:
                lost.append(delivery)
        portions = [own[start : start + MOST] for start in range(0, len(own), MOST)]
        calls = [self._commands.ack(portion) for portion in portions]
        for call, portion, reply in zip(calls, portions, self._runner.run_all(calls)):
            lost += self._commands.read_lost(call, reply, portion)
        return lost

    def nack(self, delivery: Delivery, error: str, trace: str, delay: float | None) -> None:
        own = self._own(delivery)
        self._settle(self._commands.nack(own, error, trace, delay), own)

    def release(self, delivery: Delivery) -> None:
        own = self._own(delivery)
        self._settle(self._commands.release(own), own)

    def reject(self, delivery: Delivery, reason: str) -> None:
        own = self._own(delivery)
        self._settle(self._commands.reject(own, reason), own)

    def extend(self, delivery: Delivery, seconds: float) -> None:
        own = self._own(delivery)
        deadline = self._clock.monotonic() + seconds
        until = self._settle(self._commands.extend(own, seconds), own)
        if until > own.until:
            own.until, own.deadline = until, deadline

    def _own(self, delivery: Delivery) -> RedisDelivery:
        if isinstance(delivery, RedisDelivery) and delivery.stored is self:
            return delivery
        raise self._commands.lost(delivery)

    def _settle(self, call: ScriptCall, delivery: RedisDelivery) -> int:
        return self._commands.read_settled(call, self._runner.run(call), delivery)

    def dead_letters(self) -> list[DeadLetter]:
        return [excerpt.letter for excerpt in self.oldest_dead(INFINITY, MAX_BODY)]

    def oldest_dead(self, most: int, shown: int) -> list[Excerpt]:
        found: list[Excerpt] = []
        last = b"-1"
        while last and len(found) < most:
            call = self._commands.oldest_dead(last, most - len(found), shown)
            some, last = self._commands.read_dead_letters(self._runner.run(call))
            found += some
        return found

    def newest_dead(self, most: int, shown: int) -> list[Excerpt]:
        found, _ = self._commands.read_dead_letters(self._runner.run(self._commands.newest_dead(most, shown)))
        return found[::-1]

    def oldest(self) -> float | None:
        return self._commands.read_oldest(self._runner.run(self._commands.oldest()))

    def redrive(self, ids: Iterable[str] | None, limit: int | None) -> int:
        chosen = None if ids is None else list(dict.fromkeys(ids))
        most = INFINITY if limit is None else limit
        moved = start = 0
        while moved < most and (chosen is None or start < len(chosen)):
            if self._refusing:
                raise self._closed_error()
            portion = None if chosen is None else chosen[start : start + MOST]
            some, full = self._runner.run(self._commands.redrive(most - moved, portion))[BODY:]
            moved, start = moved + some, start + MOST
            if full or (chosen is None and some < MOST):
                break
            if most == INFINITY:
                most = moved + self.stats().dead  # and not those that die meanwhile
        return moved

    def purge(self) -> int:
        purged = 0
        while True:
            some: int = self._runner.run(self._commands.purge())[BODY]
            purged += some
            if some < MOST:
                return purged

    def stats(self) -> QueueStats:
        return self._commands.read_stats(self._runner.run(self._commands.stats()))

    def check(self) -> None:
        self._commands.check(self._runner.run(self._commands.stats()))

    def refuse(self) -> None:
        self._refusing = True
        self._runner.wake_all()

    def close(self) -> None:
        self._closed = True
        self._runner.close()
        self.refuse()

    def _closed_error(self) -> QueueClosed:
        return errors.closed(self._name, draining=not self._closed)
