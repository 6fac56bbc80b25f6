"""The store in Redis, 6.2 or later: processes on several machines share its queues.

Each transition is one script, so it happens as a whole or not at all, in one round trip; what it survives depends on
how Redis keeps its data (`appendfsync always`: whatever was answered). Leases, delays and times-to-live end by the
clock of the server, unless one that was made for the purpose is injected. Capacity and counts are those of Redis; the
other options of a queue are each process's own and apply to what it does itself.

When a connection breaks, a request is sent again, for half a minute. A push is never entered twice, an ack or another
settlement whose reply was lost is not taken for late while its lease still holds, and a pull gets what its first try
leased. Only what such a call raises in the end, a StoreError, leaves open whether it was done; and a redrive or purge
may do more than it tells.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from queue import Empty
from typing import Any

from lightbroker.clock import Clock
from lightbroker.errors import BrokerError, PushError, QueueClosed
from lightbroker.message import DeadLetter, Delivery, Message
from lightbroker.policy import Overflow, QueueOptions
from lightbroker.storage import outcome
from lightbroker.storage.base import Note, QueueStats
from lightbroker.storage.redis_commands import FAR, MOST, Lease, QueueCommands, Reply, client_name
from lightbroker.storage.redis_link import RedisLink
from lightbroker.storage.redis_scripts import Request
from lightbroker.storage.redis_topics import RedisRelay
from lightbroker.storage.redis_url import read_url
from lightbroker.storage.redis_wait import Line, Listener
from lightbroker.storage.waiting import Sleepers, attempt

log = logging.getLogger(__name__)

_AGAIN = 1.0  # seconds until a failed look at what is due is repeated


def open_store(url: str) -> "RedisStore":
    """The store that `redis://[user:password@]host[:port][/database][?prefix=…]` names, or `rediss://` for TLS.

    prefix: keeps brokers that share a server apart. A server that belongs to a cluster leads to all of it. Raises
    ValueError naming what the URL has wrong, and StoreError for a server that cannot be used.
    """
    return RedisStore(url)


class RedisStore:
    """Queues in the Redis server or cluster at `url`; see `open_store`."""

    def __init__(self, url: str) -> None:
        address = read_url(url)
        self._prefix = address.prefix
        self._link = RedisLink(address)
        self._client = client_name()
        self._listeners: dict[str, Listener] = {}
        if self._link.warning:
            log.warning("%s", self._link.warning)

    def queue(self, name: str, options: QueueOptions, clock: Clock, note: Note | None) -> "RedisQueue":
        """Open the queue; raises ValueError if Redis holds it with other bounds, StoreError for another's keys."""
        commands = QueueCommands(self._prefix, name, options, clock, note is not None, self._client)
        # Each queue of a cluster has its node; there, too, Redis can tell only of those who listen on the same node.
        place = commands.channel if self._link.clustered else ""
        listener = self._listeners.setdefault(place, Listener(self._link, commands.channel))
        return RedisQueue(self._link, listener, commands, name, options, clock, note)

    def relay(self, receive: Callable[[Message, tuple[str, str] | None], None]) -> RedisRelay:
        """The relay of this process; see `SharedStore`."""
        return RedisRelay(self._link, self._prefix, self._client, receive)

    def close(self) -> None:
        """Close the connections."""
        for listener in self._listeners.values():
            listener.close()
        self._link.close()


class RedisQueue:
    """See `QueueStore` and `Waitable` for what each method promises."""

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
        self._link, self._listener, self._commands = link, listener, commands
        self._name, self._options, self._clock, self._note = name, options, clock, note
        self._refusing = self._closed = False
        self._stops = options.capacity is not None and options.overflow in (Overflow.BLOCK, Overflow.REJECT)
        self._alarm = clock.alarm(self._tick)
        self._line = Line(commands.channel, commands.own_channel, self._look, self._remind)
        self._slots: deque[int] = deque()  # names for pushes, of which each is used by one at a time
        self._new_slots = count()
        commands.opened(link.call(commands.open()))
        self._catch_up()

    def push(self, message: Message, timeout: float | None, delay: float) -> bool:
        return self.push_many((message,), timeout, delay)[0]

    def push_many(self, messages: Sequence[Message], timeout: float | None, delay: float) -> list[bool]:
        taken: list[bool] = []
        blocks = self._options.overflow is Overflow.BLOCK and timeout != 0.0
        try:
            if self._refusing:
                raise self._closed_error()
            if blocks:
                self._enter_patiently(messages, taken, delay, threading.TIMEOUT_MAX if timeout is None else timeout)
            if len(taken) < len(messages):
                self.enter(messages, taken, delay, last=True)
        except PushError as error:
            error.accepted = tuple(message.id for message, entered in zip(messages, taken) if entered)
            raise
        return taken

    def _enter_patiently(
        self, messages: Sequence[Message], taken: list[bool], delay: float, timeout: float | None
    ) -> None:
        if not self._line.heard:
            self._enter(messages, taken, delay, b"no")
        if len(taken) < len(messages):
            with suppress(Empty):
                attempt(self._line.pushers, partial(self._enter_or_wait, messages, taken, delay), timeout or 0.0)

    def _enter_or_wait(self, messages: Sequence[Message], taken: list[bool], delay: float) -> None:
        if self._refusing:
            raise self._closed_error()
        self._listener.attend(self._line)
        self._enter(messages, taken, delay, b"crowd" if len(self._line.pushers) > 1 else b"wait")
        if len(taken) < len(messages):
            raise Empty

    def _enter(self, messages: Sequence[Message], taken: list[bool], delay: float, blocked: bytes) -> None:
        """Push what is not in yet, as much as there is room for."""
        portions = self._commands.portions(messages[len(taken) :] if taken else messages)
        if self._stops:  # what comes behind a message that found no room must not overtake it
            for portion in portions:
                slot = self._slot()
                taken += self._commands.pushed(self._do(self._commands.push(portion, slot, delay, blocked)))
                self._slots.append(slot)
        else:
            slots = [self._slot() for _ in portions]
            pushes = (self._commands.push(portion, slot, delay, blocked) for portion, slot in zip(portions, slots))
            for reply in self._link.call_all(pushes):
                self._take_note(reply)
                taken += self._commands.pushed(reply)
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
            if timeout == 0.0 or not self._line.heard:
                with suppress(Empty):
                    return self._lease(most, b"no")
                if timeout == 0.0:
                    raise Empty
            seconds = threading.TIMEOUT_MAX if timeout is None else timeout
            return attempt(self._line.pullers, partial(self.lease, most), seconds)
        except Empty:
            raise outcome.empty(self._name, timeout) from None

    @property
    def pullers(self) -> Sleepers:
        return self._line.pullers

    @property
    def pushers(self) -> Sleepers:
        return self._line.pushers

    def enter(self, messages: Sequence[Message], taken: list[bool], delay: float, last: bool = False) -> None:
        if not last:
            self._enter_or_wait(messages, taken, delay)
            return
        if self._refusing:
            raise self._closed_error()
        self._enter(messages, taken, delay, b"refuse")
        if len(taken) < len(messages):
            raise outcome.full(self._name, self._options.capacity)

    def lease(self, most: int) -> list[Delivery]:
        if not self._closed:
            self._listener.attend(self._line)
        return self._lease(most, b"crowd" if len(self._line.pullers) > 1 else b"wait")

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
            overdue = self._commands.overdue(reply)
            if overdue is None:
                deliveries = self._commands.pulled(reply, self, deadline)
                full = len(deliveries) == MOST or self._commands.more(reply)
                return deliveries, full and len(deliveries) < most
            self._end(overdue)

    def ack(self, delivery: Delivery) -> None:
        if self._ack((delivery,)):
            raise self._commands.lost(delivery)

    def ack_many(self, deliveries: Iterable[Delivery]) -> None:
        deliveries = list(deliveries)
        if lost := self._ack(deliveries):
            raise outcome.some_lost(len(lost), len(deliveries), self._commands.lost(lost[0]))

    def _ack(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        leases: list[Lease] = []
        lost: list[Delivery] = []
        for delivery in deliveries:
            if isinstance(delivery, Lease) and delivery.store is self:
                leases.append(delivery)
            else:
                lost.append(delivery)
        portions = [leases[start : start + MOST] for start in range(0, len(leases), MOST)]
        requests = [self._commands.ack(portion) for portion in portions]
        for request, portion, reply in zip(requests, portions, self._link.call_all(requests)):
            self._take_note(reply)
            lost += self._commands.late(request, reply, portion)
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

    def _own(self, delivery: Delivery) -> Lease:
        if isinstance(delivery, Lease) and delivery.store is self:
            return delivery
        raise self._commands.lost(delivery)

    def _settle(self, request: Request, lease: Lease) -> int:
        return self._commands.settled(request, self._do(request), lease)

    def dead_letters(self) -> list[DeadLetter]:
        letters: list[DeadLetter] = []
        last = b"-1"
        while last:
            some, last = self._commands.read_dead_letters(self._do(self._commands.dead_letters(last)))
            letters += some
        return letters

    def redrive(self, ids: Iterable[str] | None, limit: int | None) -> int:
        chosen = None if ids is None else list(dict.fromkeys(ids))
        most = FAR if limit is None else limit
        moved = start = 0
        while moved < most and (chosen is None or start < len(chosen)):
            if self._refusing:
                raise self._closed_error()
            portion = None if chosen is None else chosen[start : start + MOST]
            some, full = self._do(self._commands.redrive(most - moved, portion))[Reply.BODY :]
            moved, start = moved + some, start + MOST
            if full or (chosen is None and some < MOST):
                break
            if most == FAR:
                most = moved + self.stats().dead  # and not those that die meanwhile
        return moved

    def purge(self) -> int:
        purged = 0
        while True:
            some: int = self._do(self._commands.purge())[Reply.BODY]
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
        return outcome.closed(self._name, draining=not self._closed)

    def _do(self, request: Request, patience: float | None = None) -> list[Any]:
        reply = self._link.call(request, 0.0 if self._closed else patience)
        self._take_note(reply)
        return reply

    def _take_note(self, reply: list[Any]) -> None:
        """Do what a reply asks for besides its answer."""
        if reply[Reply.WAIT] >= 0:
            self._remind(reply[Reply.WAIT] / 1e6)
        if reply[Reply.PULLERS] or reply[Reply.PUSHERS]:
            self._line.call(reply[Reply.PULLERS], reply[Reply.PUSHERS])
        if self._note is not None:
            at, words = self._clock.monotonic(), iter(word.decode() for word in reply[Reply.NOTES])
            for id, tried, source, target, cause in zip(words, words, words, words, words):
                self._note(at, id, source, target, int(tried), cause)

    # What time does

    def _remind(self, seconds: float) -> None:
        when = self._clock.monotonic() + seconds
        if when < self._alarm.when and not self._closed:
            self._alarm.set(when)

    def _tick(self) -> None:
        try:
            self._catch_up(0.0)
        except BrokerError as error:
            if not self._closed:
                log.warning("queue %s: what is due could not be moved on; it is tried again: %s", self._name, error)
                self._remind(_AGAIN)

    def _look(self) -> None:
        """Pass a call on."""
        if not self._closed:
            self._tick()

    def _catch_up(self, patience: float | None = None) -> None:
        """Move on what fell due, and call who can go on."""
        while not self._closed:
            reply = self._do(self._commands.tick(), patience)
            if overdue := reply[Reply.BODY :]:
                self._end(overdue)
            elif reply[Reply.WAIT] != 0:
                return

    def _end(self, receipts: Sequence[bytes]) -> None:
        """End leases that ran out."""
        if receipts:
            self._do(self._commands.end(receipts))
