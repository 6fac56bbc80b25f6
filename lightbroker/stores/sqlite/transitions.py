"""What becomes of a message in an SQLite file: every transition of the contract, and what happens when time passes.

Each public method of `Transitions` is one piece of work for `SqliteFile.run`, so it happens as a whole or not at all.
A message is retried in `_fail`: after a nack, after a handler's exception, and after a lease that expired, which
`_end_leases` finds. A full queue drops its oldest message in `_overflow`.
"""

import random
from collections.abc import Iterable, Sequence
from functools import partial

from lightbroker.core import errors
from lightbroker.core.clock import Clock
from lightbroker.core.message import NEVER, Delivery, Message, Settler
from lightbroker.core.policy import Overflow, QueueOptions
from lightbroker.core.store import Note
from lightbroker.stores.sqlite.counts import QueueCounts
from lightbroker.stores.sqlite.file import SqliteFile
from lightbroker.stores.sqlite.rows import QueueRows, Row
from lightbroker.stores.sqlite.schema import DEAD, DELAYED, LEASED, READY, STATES, later, micros

_BATCH = 1000  # overdue messages that are read together, so that a great many need little memory


class SqliteDelivery(Delivery):
    """A delivery that knows the row of its message. Its lease holds while that row is there and has not expired."""

    __slots__ = ("row",)
    row: Row

    @property
    def receipt(self) -> str:
        """The message's id, and the turn that the queue gave to this lease alone."""
        return f"{self.message.id}/{self.row.turn}"


class Transitions:
    """The transitions of the messages of one queue."""

    def __init__(
        self,
        name: str,
        options: QueueOptions,
        clock: Clock,
        note: Note | None,
        file: SqliteFile,
        counts: QueueCounts,
        rows: QueueRows,
    ) -> None:
        self._name, self._options, self._clock, self._note = name, options, clock, note
        self._file, self._counts, self._rows = file, counts, rows
        self._rng = random.Random(options.retry.seed)

    def _start(self) -> int:
        """Begin a transition; return the time in microseconds."""
        self._counts.load()
        return micros(self._clock.time())

    def _tell(self, id: str, attempt: int, source: str, target: str, cause: str) -> None:
        """Tell a traced queue of a transition, once it is committed."""
        if self._note is not None:
            at = self._clock.monotonic()
            self._file.on_commit.append(partial(self._note, at, id, source, target, attempt, cause))

    # Pushing

    def enter(self, messages: Sequence[Message], delay: float, last: bool) -> list[bool]:
        """Push messages in order, as many as the overflow policy lets in.

        Args:
            messages: What to push; all have the same time-to-live.
            delay: Seconds until they are READY.
            last: Whether the caller gives up after this try, so that a message without room is counted as refused.

        Returns:
            For each message whether it entered; False means that the policy dropped it. With BLOCK and REJECT, the list
            ends before the first message that found no room.
        """
        now = self._start()
        counts = self._counts
        fitting = messages[: counts.room]
        self._insert(now, fitting, delay)
        entered = [True] * len(fitting)
        for message in messages[len(fitting) :]:
            if self._options.overflow in (Overflow.BLOCK, Overflow.REJECT):
                counts.refused += last
                break
            entered.append(self._overflow(now, message, delay))
        return entered

    def _overflow(self, now: int, message: Message, delay: float) -> bool:
        """Accept a message that a full queue has no room for; return False if it was dropped."""
        policy = self._options.overflow
        if policy is Overflow.DEAD_LETTER:
            key = self._rows.insert((message.with_attempts(0, None),), DEAD, failed=1)
            self._rows.set_failure(key, "", "", self._clock.time())
            self._rows.set_reason(key, "overflow")
            self._tell(message.id, 0, "NEW", "DEAD", "overflow")
            self._trim_dead_letters()
            return True
        if policy is Overflow.DROP_OLDEST and self._counts.states[READY]:
            self._drop_oldest(READY, "overflow")
            self._insert(now, (message,), delay)
            return True
        self._counts.accepted += 1
        self._counts.dropped += 1
        self._tell(message.id, message.attempts, "NEW", "dropped", "overflow")
        return False

    def _drop_oldest(self, state: int, cause: str) -> None:
        """Drop the message that has been longest in a state."""
        oldest = self._rows.first(state, 1)[0]
        self._rows.remove(oldest)
        self._counts.dropped += 1
        self._tell(oldest.id, oldest.attempts, STATES[state], "dropped", cause)

    def _insert(self, now: int, messages: Sequence[Message], delay: float) -> None:
        """NEW -> READY or DELAYED."""
        if not messages:
            return
        end = messages[0].expires
        expires = None if end == NEVER else later(now, end - self._clock.monotonic())
        state, at = (DELAYED, later(now, delay)) if delay else (READY, 0)
        self._rows.insert(messages, state, at, expires)
        self._schedule(at if delay else None)
        self._schedule(expires)
        for message in messages if self._note else ():
            self._tell(message.id, 0, "NEW", STATES[state], "push")

    # Pulling and settling

    def lease(self, most: int, queue: Settler) -> list[Delivery]:
        """READY -> LEASED for the `most` messages that have been ready longest; `queue` will settle the deliveries."""
        now = self.catch_up()
        ready = self._counts.states[READY]
        if not ready:
            return []
        until = later(now, self._options.lease)
        self._schedule(until)
        deadline = self._clock.monotonic() + self._options.lease
        deliveries: list[Delivery] = []
        for row in self._rows.lease(min(most, ready), until):
            delivery = SqliteDelivery()
            delivery.row, delivery.message, delivery.deadline = row, self._rows.message(row), deadline
            delivery.stored = queue
            deliveries.append(delivery)
            self._tell(row.id, row.attempts, "READY", "LEASED", "pull")
        return deliveries

    def ack(self, deliveries: Iterable[Delivery], queue: Settler) -> list[Delivery]:
        """LEASED -> acked for the deliveries of `queue` whose lease holds; return the others."""
        now = self._start()
        lost = []
        for delivery in deliveries:
            if not (isinstance(delivery, SqliteDelivery) and delivery.stored is queue and delivery.row.at > now):
                lost.append(delivery)
            elif self._rows.remove(delivery.row):
                self._counts.acked += 1
                self._tell(delivery.row.id, delivery.row.attempts, "LEASED", "acked", "ack")
            else:
                lost.append(delivery)
        return lost

    def nack(self, delivery: Delivery, error: str, trace: str, delay: float | None) -> None:
        """LEASED -> DELAYED, READY or DEAD."""
        now = self._start()
        self._fail(now, self._held(delivery, now).row, error, trace, delay, "nack")

    def release(self, delivery: Delivery) -> None:
        """LEASED -> READY."""
        now = self._start()
        self._give_back(now, self._held(delivery, now).row, 0, 0.0, "release")

    def reject(self, delivery: Delivery, reason: str) -> None:
        """LEASED -> DEAD."""
        row = self._held(delivery, self._start()).row
        self._rows.set_failure(row.key, reason, "", self._clock.time())
        self._bury(row._replace(failed=1), "rejected")

    def extend(self, delivery: Delivery, seconds: float) -> None:
        """LEASED, until `seconds` from now. A lease is never shortened."""
        now = self._start()
        held = self._held(delivery, now)
        until = later(now, seconds)
        if until > held.row.at:
            self._rows.extend(held.row, until)
            # At once and not after the commit: an ack in the same transaction must find the row in its new place.
            self._file.on_rollback.append(partial(setattr, held, "row", held.row))
            held.row = held.row._replace(at=until)
            self._file.on_commit.append(partial(setattr, held, "deadline", self._clock.monotonic() + seconds))

    def _held(self, delivery: Delivery, now: int) -> SqliteDelivery:
        """Return the delivery; raise LeaseLost unless its lease holds."""
        if isinstance(delivery, SqliteDelivery) and delivery.row.at > now and self._rows.exists(delivery.row):
            return delivery
        raise errors.lost(self._name, self._options.lease, delivery.receipt)

    def _fail(self, now: int, row: Row, error: str, trace: str, delay: float | None, cause: str) -> None:
        """Retry a message whose delivery failed, after its backoff, or bury it after its last attempt.

        `delay` is what the consumer asked for, in seconds (None: the queue's backoff).
        """
        self._rows.set_failure(row.key, error, trace, self._clock.time())
        row = row._replace(failed=1)
        wait = self._options.retry.wait_after(row.attempts, delay, self._rng)
        if wait is None:
            self._bury(row, "max_attempts")
        else:
            self._give_back(now, row, 1, wait, cause)
            self._counts.retried += 1

    def _give_back(self, now: int, row: Row, spent: int, wait: float, cause: str) -> None:
        """LEASED -> DELAYED for `wait` seconds, or READY if that is 0; `spent` attempts are added."""
        state, at = (DELAYED, later(now, wait)) if wait else (READY, 0)
        self._rows.move(row._replace(attempts=row.attempts + spent), state, at)
        self._schedule(at if wait else row.expires)
        self._tell(row.id, row.attempts, "LEASED", STATES[state], cause)

    # Dead letters

    def _bury(self, row: Row, reason: str) -> None:
        """READY or LEASED -> DEAD, for a message that has a failure."""
        self._rows.move(row, DEAD)
        self._rows.set_reason(row.key, reason)
        self._tell(row.id, row.attempts, STATES[row.state], "DEAD", reason)
        self._trim_dead_letters()

    def _trim_dead_letters(self) -> None:
        """Drop the oldest dead letters that are too many."""
        bound = self._options.dead_capacity
        while bound is not None and self._counts.states[DEAD] > bound:
            self._drop_oldest(DEAD, "dead_capacity")

    def redrive(self, ids: Iterable[str] | None, limit: int | None) -> int:
        """DEAD -> READY while there is room; return how many."""
        self._start()
        room = self._counts.room
        most = room if limit is None else min(limit, room)
        if ids is None:
            moved = self._rows.first(DEAD, most)
        else:
            by_id = {row.id: row for row in self._rows.first(DEAD)}
            moved = [by_id[id] for id in dict.fromkeys(ids) if id in by_id][:most]
        for row in moved:
            self._rows.delete_failure(row.key)
            self._rows.move(row._replace(attempts=1, failed=0, expires=None), READY)
            self._tell(row.id, 1, "DEAD", "READY", "redrive")
        self._counts.redriven += len(moved)
        return len(moved)

    def purge(self) -> int:
        """DEAD -> purged for all; return how many."""
        self._start()
        dead = self._rows.first(DEAD)
        for row in dead:
            self._rows.remove(row)
            self._tell(row.id, row.attempts, "DEAD", "purged", "purge")
        self._counts.purged += len(dead)
        return len(dead)

    # What time does

    def _schedule(self, at: int | None) -> None:
        """Let `catch_up` look for messages at `at`, in microseconds (0 is a valid time); do nothing for None."""
        if at is not None:
            self._counts.due = min(self._counts.due, at)

    def catch_up(self) -> int:
        """Move on everything that fell due, whichever process it came from; return the time in microseconds."""
        now = self._start()
        while self._counts.due <= now:
            self._end_delays(now)
            self._end_lives(now)
            self._end_leases(now)
            self._counts.due = self._rows.next_due()  # still past if there is more than a batch
        return now

    def _end_delays(self, now: int) -> None:
        """DELAYED -> READY for messages whose delay is over."""
        for row in self._rows.overdue(DELAYED, now, _BATCH):
            self._rows.move(row, READY)
            self._tell(row.id, row.attempts, "DELAYED", "READY", "due")

    def _end_lives(self, now: int) -> None:
        """READY -> expired for messages whose time-to-live is over; one that failed before is kept as a dead letter."""
        for row in self._rows.overdue(READY, now, _BATCH):
            if row.failed:
                self._bury(row._replace(attempts=row.attempts - 1), "expired")
            else:
                self._rows.remove(row)
                self._counts.expired += 1
                self._tell(row.id, row.attempts, "READY", "expired", "ttl")

    def _end_leases(self, now: int) -> None:
        """End every lease that has expired; its message is retried like any that failed."""
        for row in self._rows.overdue(LEASED, now, _BATCH):
            self._fail(now, row, errors.lease_expired(self._options.lease), "", None, "lease expired")
