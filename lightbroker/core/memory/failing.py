"""Everything but push, pull and ack of a queue in memory: failing, retrying, expiring, dying, redriving.

A message is retried in `Failing._fail`: after a nack, after a handler's exception, and after a lease that expired.

These transitions are rarer than the hot path, and take the queue's lock. Each change of a message is still one step
(see `steps`), because the hot path does not take the lock.
"""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice, repeat
from operator import index
from queue import Empty
from typing import Any

from lightbroker.core import errors
from lightbroker.core.errors import LeaseLost
from lightbroker.core.memory.expiry import Expiry
from lightbroker.core.memory.steps import Steps
from lightbroker.core.message import NEVER, DeadLetter, Failure, Leased, Message
from lightbroker.core.store import Excerpt
from lightbroker.core.waiting import wake


class Failing:
    """See `StoredQueue` and `Inspectable` for what each public method promises."""

    __slots__ = ("__weakref__", "_closed", "_expiry", "_refusing", "_rng", "_steps", "watch")

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._rng = random.Random(steps.options.retry.seed)
        self._refusing = self._closed = False
        self._expiry = Expiry(steps, self._catch_up)
        self.watch = self._expiry.watch

    def refuse(self) -> None:
        """Redrive nothing from now on."""
        self._refusing = True

    def close(self) -> None:
        """Let nothing fall due any more."""
        self._closed = True
        self._expiry.cancel()

    # What a consumer says of a delivery

    def nack(self, delivery: Leased, error: str, trace: str, delay: float | None) -> None:
        with self._steps.lock, self._settling(delivery):
            self._fail(delivery, error, trace, delay, "nack")

    def release(self, delivery: Leased) -> None:
        with self._steps.lock, self._settling(delivery):
            self._give_back(delivery, delivery.message, 0.0, "release")

    def reject(self, delivery: Leased, reason: str) -> None:
        with self._steps.lock, self._settling(delivery):
            message = self._failed(delivery.message, reason, "", delivery.message.attempts)
            self.bury(self._steps.leaving(delivery), message, "rejected", "LEASED")

    def extend(self, delivery: Leased, seconds: float) -> None:
        steps = self._steps
        with steps.lock:  # expiry takes the lock too, so a lease found here does not expire before it is moved
            if delivery not in steps.leased:
                raise self.lost(delivery)
            self._expiry.extended.add(delivery)
            delivery.deadline = max(delivery.deadline, steps.now() + seconds)

    @contextmanager
    def _settling(self, delivery: Leased) -> Iterator[None]:
        try:
            yield
        except KeyError:  # from `Steps.leaving`, before anything changed
            raise self.lost(delivery) from None

    def lost(self, delivery: Leased) -> LeaseLost:
        """Return the error for a delivery whose lease is over."""
        return errors.lost(self._steps.name, self._steps.options.lease, delivery.receipt)

    # LEASED -> READY, DELAYED or DEAD

    def _fail(self, delivery: Leased, error: str, trace: str, delay: float | None, cause: str) -> None:
        """Retry a message that failed, or bury it after its last attempt."""
        message = delivery.message
        wait = self._steps.options.retry.wait_after(message.attempts, delay, self._rng)
        if wait is None:
            dead = self._failed(message, error, trace, message.attempts)
            self.bury(self._steps.leaving(delivery), dead, "max_attempts", "LEASED")
        else:
            again = self._failed(message, error, trace, message.attempts + 1)
            self._give_back(delivery, again, wait, cause)
            next(self._steps.retried)

    def _failed(self, message: Message, error: str, trace: str, attempts: int) -> Message:
        """Return the message with its next number of attempts and why it failed."""
        now = self._steps.clock.time()
        first = message.failure.first_at if message.failure else now
        return message.with_attempts(attempts, Failure(error, trace, first, now))

    def _give_back(self, delivery: Leased, message: Message, wait: float, cause: str) -> None:
        """Make a leased message READY again, after `wait` seconds."""
        steps = self._steps
        at = steps.now()
        if wait:
            self.delay(steps.leaving(delivery), message, wait)
        else:
            next(zip(steps.leaving(delivery), steps.appending(message), steps.signal))
            wake(steps.pullers)
            self._expiry.watch(message)
        steps.tell(at, delivery.message, "LEASED", "DELAYED" if wait else "READY", cause)

    def delay(self, before: Iterator[Any], message: Message, wait: float) -> None:
        """Make a message DELAYED for `wait` seconds, in one step with `before`: a lease ends, or a permit is taken."""
        due, key = self._steps.now() + wait, next(self._expiry.numbers)
        next(zip(before, map(self._steps.delayed.setdefault, (key,), ((due, message),))))
        self._expiry.delay(due, key)

    # DEAD

    def bury(self, leaving: Iterator[Any], message: Message, reason: str, source: str) -> None:
        """Make a message DEAD, and drop the oldest dead letters that are too many.

        leaving: the step that takes the message from where it is; it raises KeyError if the message is gone from there.
        """
        steps = self._steps
        at, now = steps.now(), steps.clock.time()
        failure = message.failure or Failure("", "", now, now)
        letter = DeadLetter(
            message, steps.name, reason, failure.error, failure.traceback, failure.first_at, failure.last_at
        )
        give = steps.give if source != "NEW" else repeat(None)  # a message that found no room has no permit to return
        next(zip(leaving, map(steps.dead.setdefault, (message.id,), (letter,)), give))
        wake(steps.pushers)
        steps.tell(at, message, source, "DEAD", reason)
        bound = steps.options.dead_capacity
        while bound is not None and len(steps.dead) > bound:
            oldest, _ = next(zip(map(steps.dead.pop, (next(iter(steps.dead)),)), steps.dropped))
            steps.tell(at, oldest.message, "DEAD", "dropped", "dead_capacity")

    def oldest_dead(self, most: int | None) -> list[Excerpt]:
        with self._steps.lock:
            return list(map(Excerpt.whole, islice(self._steps.dead.values(), most)))

    def newest_dead(self, most: int) -> list[Excerpt]:
        with self._steps.lock:
            return list(map(Excerpt.whole, islice(reversed(self._steps.dead.values()), most)))[::-1]

    def redrive(self, ids: Iterable[str] | None, limit: int | None) -> int:
        steps = self._steps
        with steps.lock:
            at = steps.now()
            chosen = list(steps.dead) if ids is None else [i for i in dict.fromkeys(ids) if i in steps.dead]
            for moved, id in enumerate(chosen[:limit]):
                if self._refusing:
                    raise errors.closed(steps.name, draining=not self._closed)
                message = steps.dead[id].message.with_attempts(1, None)
                message.expires = NEVER  # whoever redrives a message wants it delivered
                permit, leave = map(index, steps.permits_now), map(steps.dead.pop, (id,))
                try:
                    next(zip(permit, leave, steps.appending(message), steps.signal, steps.redriven))
                    wake(steps.pullers)
                except Empty:
                    return moved
                steps.tell(at, message, "DEAD", "READY", "redrive")
            return len(chosen[:limit])

    def purge(self) -> int:
        steps = self._steps
        with steps.lock:
            ids = list(steps.dead)
            for id in ids:
                letter, _ = next(zip(map(steps.dead.pop, (id,)), steps.purged))
                steps.tell(steps.now(), letter.message, "DEAD", "purged", "purge")
            return len(ids)

    # What time does

    def _catch_up(self) -> None:
        """Move on everything that fell due."""
        with self._steps.lock:
            if not self._closed:
                now = self._steps.now()
                self._end_delays(now)
                self._end_lives(now)
                self._end_leases(now)
                self._expiry.rearm()

    def _end_delays(self, now: float) -> None:
        """DELAYED -> READY."""
        steps = self._steps
        for key in self._expiry.delays_over(now):
            if key in steps.delayed:
                _, message = steps.delayed[key]
                next(zip(map(steps.delayed.pop, (key,)), steps.appending(message), steps.signal))
                wake(steps.pullers)
                steps.tell(now, message, "DELAYED", "READY", "due")
                self._expiry.watch(message)

    def _end_lives(self, now: float) -> None:
        """READY -> expired or DEAD."""
        steps = self._steps
        for message in self._expiry.lives_over(now):
            if message not in steps.ready:  # before the token: a pull must not miss the one of another message
                continue
            try:
                steps.tokens.get_nowait()  # the right to remove one message, this one if it is still there
            except Empty:
                continue
            try:
                self._end_life(map(steps.ready.remove, (message,)), message)
            except ValueError:  # leased meanwhile: the token belongs to another message
                next(steps.signal)

    def _end_life(self, leaving: Iterator[Any], message: Message) -> None:
        """Count a message out that nobody tried; keep one that failed before as a dead letter."""
        if message.failure is None:
            next(zip(leaving, self._steps.leave_expired))
            wake(self._steps.pushers)
            self._steps.tell(self._steps.now(), message, "READY", "expired", "ttl")
        else:
            self.bury(leaving, message.with_attempts(message.attempts - 1, message.failure), "expired", "READY")

    def expire_leased(self, delivery: Leased, message: Message) -> None:
        """Expire a message that a pull has just leased, because its time to live ended before the alarm rang."""
        with self._steps.lock, suppress(KeyError):  # the pull stalled until its lease expired, too
            self._end_life(self._steps.leaving(delivery), message)

    def _end_leases(self, now: float) -> None:
        """End every lease that has expired; its message is retried like any that failed."""
        error = errors.lease_expired(self._steps.options.lease)
        for delivery in self._expiry.leases_over(now):
            with suppress(KeyError):  # settled at this very moment
                self._fail(delivery, error, "", None, "lease expired")
