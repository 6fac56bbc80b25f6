"""The slow paths of the memory store: failing, waiting, expiring, dying. They take a lock; the steps stay atomic.

The lock guards what needs more than one step: two heaps that find what is due, the bound on the dead letters, the set
of extended leases. The heaps are only an index. `_delayed` and `_ready` alone say what there is, so an interrupt
between a step and its index entry makes a message late, never lost.
"""

import heapq
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count, islice, repeat
from operator import index
from queue import Empty
from typing import Any

from lightbroker.core import outcome
from lightbroker.core.clock import Clock
from lightbroker.core.errors import LeaseLost
from lightbroker.core.memory.steps import Steps
from lightbroker.core.message import NEVER, DeadLetter, Failure, Leased, Message
from lightbroker.core.policy import QueueOptions
from lightbroker.core.store import Excerpt, Note
from lightbroker.core.waiting import rouse

_SCAN = 256  # leases that one look of the expiry scan covers


class SlowPaths(Steps):
    """Everything but push, pull and ack; and the alarm that moves messages on when time passes."""

    __slots__ = ("_alarm", "_due", "_expiry", "_extended", "_keys", "_mortal", "_rng")

    def __init__(self, name: str, options: QueueOptions, clock: Clock, note: Note | None) -> None:
        super().__init__(name, options, clock, note)
        self._rng = random.Random(options.retry.seed)
        self._keys = count()
        self._due: list[tuple[float, int]] = []
        self._mortal: list[tuple[float, int, Message]] = []
        self._extended: set[Leased] = set()
        self._expiry = -NEVER
        self._alarm = clock.alarm(self._tick)
        self._alarm.set(self._now() + options.lease)

    def close(self) -> None:
        super().close()
        self._alarm.cancel()

    def nack(self, delivery: Leased, error: str, trace: str, delay: float | None) -> None:
        with self._lock, self._settling(delivery):
            self._fail(delivery, delivery.message, error, trace, delay, "nack")

    def release(self, delivery: Leased) -> None:
        with self._lock, self._settling(delivery):
            self._give_back(delivery, delivery.message, 0.0, "release")

    def reject(self, delivery: Leased, reason: str) -> None:
        with self._lock, self._settling(delivery):
            message = self._failed(delivery.message, reason, "", delivery.message.attempts)
            self._bury(self._leaving(delivery), message, "rejected", "LEASED")

    def extend(self, delivery: Leased, seconds: float) -> None:
        with self._lock:  # expiry takes the lock too, so a lease found here does not run out before it is moved
            if delivery not in self._leased:
                raise self._lost(delivery)
            self._extended.add(delivery)
            delivery.deadline = max(delivery.deadline, self._now() + seconds)

    def dead_letters(self) -> list[DeadLetter]:
        with self._lock:
            return list(self._dead.values())

    def oldest_dead(self, most: int, shown: int) -> list[Excerpt]:
        with self._lock:
            return list(map(Excerpt.whole, islice(self._dead.values(), most)))

    def newest_dead(self, most: int, shown: int) -> list[Excerpt]:
        with self._lock:
            return list(map(Excerpt.whole, islice(reversed(self._dead.values()), most)))[::-1]

    def redrive(self, ids: Iterable[str] | None, limit: int | None) -> int:
        with self._lock:
            at = self._now()
            chosen = list(self._dead) if ids is None else [i for i in dict.fromkeys(ids) if i in self._dead]
            for moved, id in enumerate(chosen[:limit]):
                if self._refusing:
                    raise self._closed_error()
                message = self._dead[id].message.with_attempts(1, None)
                message.expires = NEVER  # whoever redrives wants it done
                permit, leave = map(index, self._permits_now), map(self._dead.pop, (id,))
                try:
                    next(zip(permit, leave, self._appending(message), self._signal, self._redriven))
                    rouse(self._pullers)
                except Empty:
                    return moved
                self._tell(at, message, "DEAD", "READY", "redrive")
            return len(chosen[:limit])

    def purge(self) -> int:
        with self._lock:
            ids = list(self._dead)
            for id in ids:
                letter, _ = next(zip(map(self._dead.pop, (id,)), self._purged))
                self._tell(self._now(), letter.message, "DEAD", "purged", "purge")
            return len(ids)

    # Steps with an argument, to be composed.

    def _leaving(self, delivery: Leased) -> Iterator[Message]:
        return map(self._unlease, (delivery,))

    def _appending(self, message: Message) -> Iterator[None]:
        return map(self._ready.append, (message,))

    @contextmanager
    def _settling(self, delivery: Leased) -> Iterator[None]:
        try:
            yield
        except KeyError:  # from `_leaving`, before anything changed
            raise self._lost(delivery) from None

    def _lost(self, delivery: Leased) -> LeaseLost:
        return outcome.lost(self._name, self._options.lease, delivery)

    def _tell(self, at: float, message: Message, source: str, target: str, cause: str) -> None:
        if self._note is not None:
            self._note(at, message.id, source, target, message.attempts, cause)

    # LEASED -> READY, DELAYED or DEAD

    def _failed(self, message: Message, error: str, trace: str, attempts: int) -> Message:
        now = self._clock.time()
        first = message.failure.first_at if message.failure else now
        return message.with_attempts(attempts, Failure(error, trace, first, now))

    def _fail(
        self, delivery: Leased, message: Message, error: str, trace: str, delay: float | None, cause: str
    ) -> None:
        wait = outcome.retry_wait(message.attempts, delay, self._options.retry, self._rng)
        if wait is None:
            dead = self._failed(message, error, trace, message.attempts)
            self._bury(self._leaving(delivery), dead, "max_attempts", "LEASED")
        else:
            again = self._failed(message, error, trace, message.attempts + 1)
            self._give_back(delivery, again, wait, cause)
            next(self._retried)

    def _give_back(self, delivery: Leased, message: Message, wait: float, cause: str) -> None:
        at = self._now()
        if wait:
            self._defer(self._leaving(delivery), message, wait)
        else:
            next(zip(self._leaving(delivery), self._appending(message), self._signal))
            rouse(self._pullers)
            self._watch(message)
        self._tell(at, delivery.message, "LEASED", "DELAYED" if wait else "READY", cause)

    def _bury(self, leaving: Iterator[Any], message: Message, reason: str, source: str) -> None:
        """DEAD. `leaving` takes the message from where it is; it raises KeyError if it is gone from there."""
        at, now = self._now(), self._clock.time()
        failure = message.failure or Failure("", "", now, now)
        letter = DeadLetter(
            message, self._name, reason, failure.error, failure.traceback, failure.first_at, failure.last_at
        )
        give = self._give if source != "NEW" else repeat(None)
        next(zip(leaving, map(self._dead.setdefault, (message.id,), (letter,)), give))
        rouse(self._pushers)
        self._tell(at, message, source, "DEAD", reason)
        bound = self._options.dead_capacity
        while bound is not None and len(self._dead) > bound:
            oldest, _ = next(zip(map(self._dead.pop, (next(iter(self._dead)),)), self._dropped))
            self._tell(at, oldest.message, "DEAD", "dropped", "dead_capacity")

    # Waiting and expiring

    def _defer(self, before: Iterator[Any], message: Message, wait: float) -> None:
        """DELAYED, `wait` seconds from now, after the step `before`."""
        due, key = self._now() + wait, next(self._keys)
        next(zip(before, map(self._delayed.setdefault, (key,), ((due, message),))))
        with self._lock:
            heapq.heappush(self._due, (due, key))
            self._alarm.set(due)

    def _watch(self, message: Message) -> None:
        """Let the alarm ring when a READY message's TTL runs out."""
        if message.expires == NEVER:
            return
        with self._lock:
            heapq.heappush(self._mortal, (message.expires, next(self._keys), message))
            if len(self._mortal) > 2 * len(self._ready) + 1000:  # mostly messages that were settled in time
                self._mortal = [(m.expires, next(self._keys), m) for m in self._ready.copy() if m.expires < NEVER]
                heapq.heapify(self._mortal)
            self._alarm.set(message.expires)

    def _tick(self) -> None:
        with self._lock:
            if not self._closed:
                now = self._now()
                self._alarm.set(min(self._wake(now), self._expire_ready(now), self._expire_leases(now)))

    def _wake(self, now: float) -> float:
        """DELAYED -> READY for what is due; when the next is."""
        if len(self._due) < len(self._delayed):  # an interrupt kept an entry out of the index
            self._due = [(due, key) for key, (due, _) in self._delayed.copy().items()]
            heapq.heapify(self._due)
        while self._due and self._due[0][0] <= now:
            _, key = heapq.heappop(self._due)
            if key in self._delayed:
                _, message = self._delayed[key]
                next(zip(map(self._delayed.pop, (key,)), self._appending(message), self._signal))
                rouse(self._pullers)
                self._tell(now, message, "DELAYED", "READY", "due")
                self._watch(message)
        return self._due[0][0] if self._due else NEVER

    def _expire_ready(self, now: float) -> float:
        while self._mortal and self._mortal[0][0] <= now:
            _, _, message = heapq.heappop(self._mortal)
            if message not in self._ready:  # before the token: a pull must not miss the one of another message
                continue
            try:
                self._tokens.get_nowait()  # the right to remove one message, this one if it is still there
            except Empty:
                continue
            try:
                self._expire_from(map(self._ready.remove, (message,)), message, "READY")
            except ValueError:  # leased meanwhile: the token belongs to another message
                next(self._signal)
        return self._mortal[0][0] if self._mortal else NEVER

    def _expire_leased(self, delivery: Leased, message: Message) -> None:
        """For a pull that met a message whose TTL had run out before the alarm rang."""
        with self._lock, suppress(KeyError):  # the pull stalled until the lease ran out, too
            self._expire_from(self._leaving(delivery), message, "READY")

    def _expire_from(self, leaving: Iterator[Any], message: Message, source: str) -> None:
        """A message nobody tried is counted and gone; one that failed before is kept as evidence."""
        if message.failure is None:
            next(zip(leaving, self._expire))
            rouse(self._pushers)
            self._tell(self._now(), message, source, "expired", "ttl")
        else:
            self._bury(leaving, message.with_attempts(message.attempts - 1, message.failure), "expired", source)

    def _expire_leases(self, now: float) -> float:
        """End the leases that ran out; when the next will. No lease made after a look runs out before what it found."""
        if self._expiry <= now:
            self._expiry = self._end_leases(now)
        return self._expiry

    def _end_leases(self, now: float) -> float:
        """End the leases that ran out; when the next will.

        Leases are made in the order in which they run out, so the scan ends at the first that has time left, except
        that extended ones are passed over. A lease without deadline was interrupted in the making: nobody holds it.
        """
        self._extended = {delivery for delivery in self._extended if delivery in self._leased}
        following = now + self._options.lease
        most = _SCAN + len(self._extended)
        error = outcome.lease_expired(self._options.lease)
        while True:
            try:
                oldest = tuple(islice(self._leased.items(), most))
            except RuntimeError:  # without the GIL the dict may change under the iterator
                return now
            for delivery, message in oldest:
                try:
                    deadline = delivery.deadline
                except AttributeError:
                    deadline = delivery.deadline = now + self._options.lease
                    delivery.message = message
                if deadline > now:
                    following = min(following, deadline)
                    if delivery in self._extended:
                        continue
                    return following
                with suppress(KeyError):  # settled at this very moment
                    self._fail(delivery, message, error, "", None, "lease expired")
            if len(oldest) < most:
                return following
            most *= 2  # each look walks once more over the places of those that have gone
