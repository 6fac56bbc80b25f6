"""The messages of one queue in an SQLite file. Each method moves rows and counts together, inside a transaction."""

import json
from collections.abc import Sequence
from types import MappingProxyType
from typing import NamedTuple

from lightbroker.core.message import DeadLetter, Message
from lightbroker.core.store import Excerpt
from lightbroker.stores.sqlite.counts import QueueCounts
from lightbroker.stores.sqlite.schema import DEAD, LEASED, MAX_INTEGER, MAX_TIME, READY

_INLINE = 768  # bytes of a body that moves with its row; such a row needs no page of its own
_TURNS = 40  # bits for a turn in the key of a message; the queue's id is above them

_SELECT = (
    "SELECT state, at, turn, key, attempts, failed, expires, id, timestamp, headers, body FROM message WHERE queue = ?"
)
_HEAD = f"{_SELECT} AND state = ? ORDER BY at, turn LIMIT ?"
_TAIL = f"{_SELECT} AND state = ? ORDER BY at DESC, turn DESC LIMIT ?"
_DUE = f"{_SELECT} AND state = ? AND at <= ? ORDER BY at, turn LIMIT ?"
_EXPIRED = f"{_SELECT} AND state = 0 AND expires <= ? ORDER BY expires LIMIT ?"
_NEXT_DUE = """SELECT min(
    ifnull((SELECT min(at) FROM message WHERE queue = :queue AND state = 1), :far),
    ifnull((SELECT min(at) FROM message WHERE queue = :queue AND state = 2), :far),
    ifnull((SELECT min(expires) FROM message WHERE queue = :queue AND state = 0 AND expires IS NOT NULL), :far))"""
_INSERT = "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_WHERE = "WHERE queue = ? AND state = ? AND at = ? AND turn = ?"
_MOVE = f"UPDATE message SET state = ?, at = ?, turn = ?, attempts = ?, failed = ?, expires = ? {_WHERE}"
_LEASE = f"UPDATE message SET state = 2, at = ?, turn = ? {_WHERE}"
_DELETE = f"DELETE FROM message {_WHERE}"
_BLAME = """INSERT INTO failure VALUES (?, NULL, ?, ?, ?, ?)
    ON CONFLICT (key) DO UPDATE
    SET error = excluded.error, traceback = excluded.traceback, last_at = excluded.last_at"""
_PART = "SELECT substr(body, 1, ?), length(body) FROM body WHERE key = ?"
_FAILURE = "SELECT reason, error, traceback, first_at, last_at FROM failure WHERE key = ?"


class Row(NamedTuple):
    """Where a message is (its state, when that ends or 0, its turn), and what it is."""

    state: int
    at: int
    turn: int
    key: int
    attempts: int
    failed: int  #: 1 if there is a failure to it
    expires: int | None
    id: str
    timestamp: float
    headers: str | None
    body: bytes | None  #: None if it is too long to lie in the row


def _plain(text: str) -> str:
    """Text as SQLite can keep it: lone surrogates are spelled out."""
    return text.encode(errors="backslashreplace").decode()


class QueueRows(QueueCounts):
    """The messages of a queue by state and, within it, by turn: a number that the queue gives out only once."""

    def head(self, state: int, most: int = -1) -> list[Row]:
        """The first `most` of a state, in order; -1 is all."""
        return list(map(Row._make, self._execute(_HEAD, (self.id, state, most))))

    def ended(self, state: int, now: int, most: int) -> list[Row]:
        """Those whose delay or lease is over; of the READY ones, those whose TTL is."""
        if state == READY:
            return list(map(Row._make, self._execute(_EXPIRED, (self.id, now, most))))
        return list(map(Row._make, self._execute(_DUE, (self.id, state, now, most))))

    def look_ahead(self) -> None:
        """Find out anew what `due` is: times of messages that are gone stay in it until then."""
        self.due = self._execute(_NEXT_DUE, {"queue": self.id, "far": MAX_TIME}).fetchone()[0]

    def message(self, row: Row) -> Message:
        """What lies in the row, and what was too long for it."""
        body = row.body
        if body is None:
            body = self._execute("SELECT body FROM body WHERE key = ?", (row.key,)).fetchone()[0]
        if row.headers is None:
            return Message(row.id, body, row.timestamp, row.attempts)
        return Message(row.id, body, row.timestamp, row.attempts, MappingProxyType(json.loads(row.headers)))

    def insert(
        self, messages: Sequence[Message], state: int, at: int = 0, expires: int | None = None, failed: int = 0
    ) -> int:
        """New rows, in order, counted as accepted; the key of the last."""
        key = (self.id << _TURNS) + self.turn
        rows = []
        for turn, message in enumerate(messages, self.turn + 1):
            key += 1
            body: bytes | None = message.body
            if len(message.body) > _INLINE:
                self._execute("INSERT INTO body VALUES (?, ?)", (key, body))
                body = None
            headers = json.dumps(dict(message.headers)) if message.headers else None
            place = (self.id, state, at, turn, key, message.attempts, failed, expires)
            rows.append((*place, message.id, message.timestamp, headers, body))
        self._executemany(_INSERT, rows)
        self.turn += len(rows)
        self.states[state] += len(rows)
        self.accepted += len(rows)
        return key

    def lease(self, most: int, deadline: int) -> list[Row]:
        """Lease the first READY rows until `deadline`; the turn of a leased row is its fencing token."""
        found = self._execute(_HEAD, (self.id, READY, most)).fetchall()
        moves = [(deadline, turn, self.id, *row[:3]) for turn, row in enumerate(found, self.turn + 1)]
        self._executemany(_LEASE, moves)
        self.turn += len(found)
        self.states[READY] -= len(found)
        self.states[LEASED] += len(found)
        return [Row(LEASED, deadline, move[1], *row[3:]) for move, row in zip(moves, found)]

    def holds(self, row: Row) -> bool:
        """Whether the message is still where `row` says."""
        return self._execute(f"SELECT 1 FROM message {_WHERE}", (self.id, *row[:3])).fetchone() is not None

    def extend(self, row: Row, deadline: int) -> bool:
        """Move the deadline of a lease; False if the lease is over."""
        move = (deadline, row.turn, self.id, *row[:3])
        return bool(self._execute(_LEASE, move).rowcount)

    def move(self, row: Row, state: int, at: int = 0) -> None:
        """Put the message, which is where `row` says, to the back of a state, changed as `row` says."""
        self.turn += 1
        new = (state, at, self.turn, row.attempts, row.failed, row.expires)
        self._execute(_MOVE, (*new, self.id, *row[:3]))
        self.states[row.state] -= 1
        self.states[state] += 1

    def remove(self, row: Row) -> bool:
        """Delete the message and all that belongs to it; False if it is not where `row` says."""
        if not self._execute(_DELETE, (self.id, *row[:3])).rowcount:
            return False
        if row.body is None:
            self._execute("DELETE FROM body WHERE key = ?", (row.key,))
        if row.failed:
            self.forgive(row.key)
        self.states[row.state] -= 1
        return True

    def blame(self, key: int, error: str, trace: str, now: float) -> None:
        """Note why the message failed at `now` (Unix seconds); the time of its first failure stays."""
        self._execute(_BLAME, (key, _plain(error), _plain(trace), now, now))

    def condemn(self, key: int, reason: str) -> None:
        """Note why a message that failed is dead."""
        self._execute("UPDATE failure SET reason = ? WHERE key = ?", (reason, key))

    def forgive(self, key: int) -> None:
        """Forget why the message failed."""
        self._execute("DELETE FROM failure WHERE key = ?", (key,))

    def dead_letters(self) -> list[DeadLetter]:
        """The DEAD, oldest first."""
        return [self._letter(row) for row in self.head(DEAD)]

    def oldest_dead(self, most: int, shown: int) -> list[Excerpt]:
        """The first `most` of the DEAD, oldest first, with `shown` bytes of each body."""
        return [self._excerpt(row, shown) for row in self.head(DEAD, min(most, MAX_INTEGER))]

    def newest_dead(self, most: int, shown: int) -> list[Excerpt]:
        """The last `most` of the DEAD, oldest first, with `shown` bytes of each body."""
        rows = self._execute(_TAIL, (self.id, DEAD, min(most, MAX_INTEGER))).fetchall()
        return [self._excerpt(Row._make(row), shown) for row in reversed(rows)]

    def oldest(self) -> float | None:
        """When the first of the READY was accepted, in Unix seconds; None if there is none."""
        head = self.head(READY, 1)
        return head[0].timestamp if head else None

    def _excerpt(self, row: Row, shown: int) -> Excerpt:
        if row.body is None:
            body, size = self._execute(_PART, (shown, row.key)).fetchone()
        else:
            body, size = row.body[:shown], len(row.body)
        return Excerpt(self._letter(row._replace(body=body)), size)

    def _letter(self, row: Row) -> DeadLetter:
        failure = self._execute(_FAILURE, (row.key,)).fetchone()
        return DeadLetter(self.message(row), self._name, *failure)
