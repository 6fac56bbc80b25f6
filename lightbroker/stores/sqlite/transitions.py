"""What becomes of a message in an SQLite file. Each public method is one piece of work for `SqliteFile.run`."""

import random
from collections.abc import Iterable, Sequence
from functools import partial

from lightbroker.core import outcome
from lightbroker.core.clock import Clock
from lightbroker.core.message import NEVER, Delivery, Message, Settler
from lightbroker.core.policy import Overflow, QueueOptions
from lightbroker.core.store import Note
from lightbroker.stores.sqlite.file import SqliteFile
from lightbroker.stores.sqlite.rows import QueueRows, Row
from lightbroker.stores.sqlite.schema import DEAD, DELAYED, LEASED, READY, STATES, later, micros

_SWEEP = 1000  # rows of a state that are looked at together, which bounds the memory for a great many


class Lease(Delivery):
    """A delivery that knows where its row is."""

    __slots__ = ("row",)
    row: Row

    @property
    def receipt(self) -> str:
        """The id, and the turn that the queue gave to this lease alone."""
        return f"{self.message.id}/{self.row.turn}"


class Transitions:
    """The decisions of one queue."""

    def __init__(
        self, name: str, options: QueueOptions, clock: Clock, note: Note | None, file: SqliteFile, rows: QueueRows
    ) -> None:
        self._name, self._options, self._clock, self._note = name, options, clock, note
        self._file, self._rows = file, rows
        self._rng = random.Random(options.retry.seed)

    def enter(self, messages: Sequence[Message], delay: float, last: bool) -> list[bool]:
        """Push in order; which were kept. It ends early if there is no room, and counts that as refused if `last`."""
        now = self._now()
        rows, policy = self._rows, self._options.overflow
        entering = messages[: max(0, rows.room)]
        self._insert(now, entering, delay)
        taken = [True] * len(entering)
        for message in messages[len(entering) :]:
            if policy in (Overflow.BLOCK, Overflow.REJECT):
                rows.refused += last
                break
            if policy is Overflow.DEAD_LETTER:
                key = rows.insert((message.with_attempts(0, None),), DEAD, failed=1)
                rows.blame(key, "", "", self._clock.time())
                self._condemned(key, message.id, 0, "NEW", "overflow")
            elif policy is Overflow.DROP_OLDEST and rows.states[READY]:
                oldest = rows.head(READY, 1)[0]
                rows.remove(oldest)
                rows.dropped += 1
                self._tell(oldest.id, oldest.attempts, "READY", "dropped", "overflow")
                self._insert(now, (message,), delay)
            else:
                rows.accepted += 1
                rows.dropped += 1
                self._tell(message.id, message.attempts, "NEW", "dropped", "overflow")
                taken.append(False)
                continue
            taken.append(True)
        return taken

    def _insert(self, now: int, messages: Sequence[Message], delay: float) -> None:
        if not messages:
            return
        end = messages[0].expires
        expires = None if end == NEVER else later(now, end - self._clock.monotonic())
        state, at = (DELAYED, later(now, delay)) if delay else (READY, 0)
        self._rows.insert(messages, state, at, expires)
        self._ends(at if delay else None)
        self._ends(expires)
        for message in messages if self._note else ():
            self._tell(message.id, 0, "NEW", STATES[state], "push")

    def lease(self, most: int, store: Settler) -> list[Delivery]:
        """Lease those that have been ready longest."""
        now = self.catch_up()
        rows = self._rows
        if not rows.states[READY]:
            return []
        until = later(now, self._options.lease)
        self._ends(until)
        deadline = self._clock.monotonic() + self._options.lease
        leases: list[Delivery] = []
        for row in rows.lease(min(most, rows.states[READY]), until):
            lease = Lease()
            lease.row, lease.store, lease.message, lease.deadline = row, store, rows.message(row), deadline
            leases.append(lease)
            self._tell(row.id, row.attempts, "READY", "LEASED", "pull")
        return leases

    def ack(self, deliveries: Iterable[Delivery], store: Settler) -> list[Delivery]:
        """Ack those whose lease holds; the others."""
        now = self._now()
        lost = []
        for delivery in deliveries:
            if not (isinstance(delivery, Lease) and delivery.store is store and delivery.row.at > now):
                lost.append(delivery)
            elif self._rows.remove(delivery.row):
                self._rows.acked += 1
                self._tell(delivery.row.id, delivery.row.attempts, "LEASED", "acked", "ack")
            else:
                lost.append(delivery)
        return lost

    def nack(self, delivery: Delivery, error: str, trace: str, delay: float | None) -> None:
        """LEASED -> DELAYED, READY or DEAD."""
        now = self._now()
        self._fail(now, self._held(delivery, now).row, error, trace, delay, "nack")

    def release(self, delivery: Delivery) -> None:
        """LEASED -> READY."""
        now = self._now()
        self._give_back(now, self._held(delivery, now).row, 0, 0.0, "release")

    def reject(self, delivery: Delivery, reason: str) -> None:
        """LEASED -> DEAD."""
        row = self._held(delivery, self._now()).row
        self._rows.blame(row.key, reason, "", self._clock.time())
        self._bury(row._replace(failed=1), "rejected")

    def extend(self, delivery: Delivery, seconds: float) -> None:
        """LEASED, until later."""
        now = self._now()
        lease = self._held(delivery, now)
        if (at := later(now, seconds)) > lease.row.at:
            self._rows.extend(lease.row, at)
            self._file.on_rollback.append(partial(setattr, lease, "row", lease.row))
            lease.row = lease.row._replace(at=at)  # now: an ack in the same transaction looks for it there
            self._file.on_commit.append(partial(setattr, lease, "deadline", self._clock.monotonic() + seconds))

    def _held(self, delivery: Delivery, now: int) -> Lease:
        if isinstance(delivery, Lease) and delivery.row.at > now and self._rows.holds(delivery.row):
            return delivery
        raise outcome.lost(self._name, self._options.lease, delivery)

    def redrive(self, ids: Iterable[str] | None, limit: int | None) -> int:
        """DEAD -> READY while there is room; how many."""
        self._now()
        room = max(0, self._rows.room)
        most = room if limit is None else min(limit, room)
        if ids is None:
            moved = self._rows.head(DEAD, most)
        else:
            by_id = {row.id: row for row in self._rows.head(DEAD)}
            moved = [by_id[id] for id in dict.fromkeys(ids) if id in by_id][:most]
        for row in moved:
            self._rows.forgive(row.key)
            self._rows.move(row._replace(attempts=1, failed=0, expires=None), READY)
            self._tell(row.id, 1, "DEAD", "READY", "redrive")
        self._rows.redriven += len(moved)
        return len(moved)

    def purge(self) -> int:
        """DEAD -> purged; how many."""
        self._now()
        dead = self._rows.head(DEAD)
        for row in dead:
            self._rows.remove(row)
            self._tell(row.id, row.attempts, "DEAD", "purged", "purge")
        self._rows.purged += len(dead)
        return len(dead)

    # What time does

    def _ends(self, at: int | None) -> None:
        """Something falls due then, in microseconds of which any number is a time, 0 too; None is never."""
        if at is not None:
            self._rows.due = min(self._rows.due, at)

    def _now(self) -> int:
        """Begin a transition, at the time in microseconds that is returned."""
        self._rows.load()
        return micros(self._clock.time())

    def catch_up(self) -> int:
        """Move on whatever fell due, whichever process it came from; when that was, as `_now` says."""
        now = self._now()
        while self._rows.due <= now:
            for row in self._rows.ended(DELAYED, now, _SWEEP):
                self._rows.move(row, READY)
                self._tell(row.id, row.attempts, "DELAYED", "READY", "due")
            for row in self._rows.ended(READY, now, _SWEEP):
                self._expire(row)
            for row in self._rows.ended(LEASED, now, _SWEEP):
                self._fail(now, row, outcome.lease_expired(self._options.lease), "", None, "lease expired")
            self._rows.look_ahead()
        return now

    def _expire(self, row: Row) -> None:
        """A message nobody tried is counted and gone; one that failed before is kept as evidence."""
        if row.failed:
            self._bury(row._replace(attempts=row.attempts - 1), "expired")
        else:
            self._rows.remove(row)
            self._rows.expired += 1
            self._tell(row.id, row.attempts, "READY", "expired", "ttl")

    def _fail(self, now: int, row: Row, error: str, trace: str, delay: float | None, cause: str) -> None:
        self._rows.blame(row.key, error, trace, self._clock.time())
        row = row._replace(failed=1)
        wait = outcome.retry_wait(row.attempts, delay, self._options.retry, self._rng)
        if wait is None:
            self._bury(row, "max_attempts")
        else:
            self._give_back(now, row, 1, wait, cause)
            self._rows.retried += 1

    def _give_back(self, now: int, row: Row, spent: int, wait: float, cause: str) -> None:
        state, at = (DELAYED, later(now, wait)) if wait else (READY, 0)
        self._rows.move(row._replace(attempts=row.attempts + spent), state, at)
        self._ends(at if wait else row.expires)
        self._tell(row.id, row.attempts, "LEASED", STATES[state], cause)

    def _bury(self, row: Row, reason: str) -> None:
        self._rows.move(row, DEAD)
        self._condemned(row.key, row.id, row.attempts, STATES[row.state], reason)

    def _condemned(self, key: int, id: str, attempts: int, source: str, reason: str) -> None:
        self._rows.condemn(key, reason)
        self._tell(id, attempts, source, "DEAD", reason)
        bound = self._options.dead_capacity
        while bound is not None and self._rows.states[DEAD] > bound:
            oldest = self._rows.head(DEAD, 1)[0]
            self._rows.remove(oldest)
            self._rows.dropped += 1
            self._tell(oldest.id, oldest.attempts, "DEAD", "dropped", "dead_capacity")

    def _tell(self, id: str, attempt: int, source: str, target: str, cause: str) -> None:
        if self._note is not None:
            at = self._clock.monotonic()
            self._file.on_commit.append(partial(self._note, at, id, source, target, attempt, cause))
