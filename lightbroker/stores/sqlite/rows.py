"""The messages of one queue in an SQLite file: finding rows, and moving them together with their counts."""

import json
from collections.abc import Sequence
from types import MappingProxyType
from typing import NamedTuple

from lightbroker.core.errors import InvariantError
from lightbroker.core.message import DeadLetter, Message
from lightbroker.core.store import Excerpt
from lightbroker.stores.sqlite.counts import QueueCounts
from lightbroker.stores.sqlite.file import SqliteFile
from lightbroker.stores.sqlite.schema import DEAD, LEASED, MAX_INTEGER, MAX_TIME, READY, STATES

_INLINE = 768  # bytes: a body up to this length lies in the row; such a row needs no page of its own
_TURN_BITS = 40  # of a message's key: the turn of its push; the bits above hold the queue's id

_SELECT = (
    "SELECT state, at, turn, key, attempts, failed, expires, id, timestamp, headers, body FROM message WHERE queue = ?"
)
_FIRST = f"{_SELECT} AND state = ? ORDER BY at, turn LIMIT ?"
_LAST = f"{_SELECT} AND state = ? ORDER BY at DESC, turn DESC LIMIT ?"
_OVERDUE = f"{_SELECT} AND state = ? AND at <= ? ORDER BY at, turn LIMIT ?"
_EXPIRED = f"{_SELECT} AND state = 0 AND expires <= ? ORDER BY expires LIMIT ?"
_NEXT_DUE = """SELECT min(
    ifnull((SELECT min(at) FROM message WHERE queue = :queue AND state = 1), :never),
    ifnull((SELECT min(at) FROM message WHERE queue = :queue AND state = 2), :never),
    ifnull((SELECT min(expires) FROM message WHERE queue = :queue AND state = 0 AND expires IS NOT NULL), :never))"""
_COUNT = "SELECT state, count(*) FROM message WHERE queue = ? AND state >= 0 GROUP BY state"
_INSERT = "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_WHERE = "WHERE queue = ? AND state = ? AND at = ? AND turn = ?"
_EXISTS = f"SELECT 1 FROM message {_WHERE}"
_MOVE = f"UPDATE message SET state = ?, at = ?, turn = ?, attempts = ?, failed = ?, expires = ? {_WHERE}"
_LEASE = f"UPDATE message SET state = 2, at = ?, turn = ? {_WHERE}"
_DELETE = f"DELETE FROM message {_WHERE}"
_INSERT_BODY = "INSERT INTO body VALUES (?, ?)"
_BODY = "SELECT body FROM body WHERE key = ?"
_BODY_START = "SELECT substr(body, 1, ?), length(body) FROM body WHERE key = ?"
_DELETE_BODY = "DELETE FROM body WHERE key = ?"
_FAILURE = "SELECT reason, error, traceback, first_at, last_at FROM failure WHERE key = ?"
_SET_FAILURE = """INSERT INTO failure VALUES (?, NULL, ?, ?, ?, ?)
    ON CONFLICT (key) DO UPDATE
    SET error = excluded.error, traceback = excluded.traceback, last_at = excluded.last_at"""
_SET_REASON = "UPDATE failure SET reason = ? WHERE key = ?"
_DELETE_FAILURE = "DELETE FROM failure WHERE key = ?"


class Row(NamedTuple):
    """A row of the table `message`, see `schema`. The first three fields, with the queue, are its primary key."""

    state: int
    at: int
    turn: int
    key: int
    attempts: int
    failed: int
    expires: int | None
    id: str
    timestamp: float
    headers: str | None
    body: bytes | None


def _storable(text: str) -> str:
    """Return text that SQLite can keep: lone surrogates are spelled out."""
    return text.encode(errors="backslashreplace").decode()


class QueueRows:
    """The messages of the queue `name`, and the `counts` that change with them.

    Every method is called inside a transaction, and after `counts.load` if it changes something.
    """

    def __init__(self, file: SqliteFile, name: str, counts: QueueCounts) -> None:
        self._execute, self._executemany = file.execute, file.executemany
        self._name = name
        self._counts = counts
        self._queue_id = counts.queue_id

    # Finding

    def first(self, state: int, limit: int = -1) -> list[Row]:
        """Return the first rows of a state in order, at most `limit` (-1: all)."""
        return list(map(Row._make, self._execute(_FIRST, (self._queue_id, state, limit))))

    def overdue(self, state: int, now: int, limit: int) -> list[Row]:
        """Return rows whose delay or lease has ended; of READY messages, those whose time-to-live has."""
        if state == READY:
            return list(map(Row._make, self._execute(_EXPIRED, (self._queue_id, now, limit))))
        return list(map(Row._make, self._execute(_OVERDUE, (self._queue_id, state, now, limit))))

    def next_due(self) -> int:
        """Return when the next delay, lease or time-to-live ends, in microseconds; MAX_TIME if none does."""
        due: int = self._execute(_NEXT_DUE, {"queue": self._queue_id, "never": MAX_TIME}).fetchone()[0]
        return due

    def exists(self, row: Row) -> bool:
        """Return whether the message is still where `row` says."""
        return self._execute(_EXISTS, (self._queue_id, *row[:3])).fetchone() is not None

    def message(self, row: Row) -> Message:
        """Return the message of a row, with its body from wherever that lies."""
        body = row.body
        if body is None:
            body = self._execute(_BODY, (row.key,)).fetchone()[0]
        if row.headers is None:
            return Message(row.id, body, row.timestamp, row.attempts)
        return Message(row.id, body, row.timestamp, row.attempts, MappingProxyType(json.loads(row.headers)))

    # Changing

    def insert(
        self, messages: Sequence[Message], state: int, at: int = 0, expires: int | None = None, failed: int = 0
    ) -> int:
        """Add messages in order, count them as accepted, and return the key of the last."""
        counts = self._counts
        key = (self._queue_id << _TURN_BITS) + counts.turn
        rows = []
        for turn, message in enumerate(messages, counts.turn + 1):
            key += 1
            body: bytes | None = message.body
            if len(message.body) > _INLINE:
                self._execute(_INSERT_BODY, (key, body))
                body = None
            headers = json.dumps(dict(message.headers)) if message.headers else None
            place = (self._queue_id, state, at, turn, key, message.attempts, failed, expires)
            rows.append((*place, message.id, message.timestamp, headers, body))
        self._executemany(_INSERT, rows)
        counts.turn += len(rows)
        counts.states[state] += len(rows)
        counts.accepted += len(rows)
        return key

    def lease(self, limit: int, until: int) -> list[Row]:
        """Move the first READY messages to LEASED until the given time, and return their new rows."""
        counts = self._counts
        found = self._execute(_FIRST, (self._queue_id, READY, limit)).fetchall()
        moves = [(until, turn, self._queue_id, *row[:3]) for turn, row in enumerate(found, counts.turn + 1)]
        self._executemany(_LEASE, moves)
        counts.turn += len(found)
        counts.states[READY] -= len(found)
        counts.states[LEASED] += len(found)
        return [Row(LEASED, until, move[1], *row[3:]) for move, row in zip(moves, found)]

    def extend(self, row: Row, until: int) -> None:
        """Move the end of a lease. The turn stays, because the lease does."""
        self._execute(_LEASE, (until, row.turn, self._queue_id, *row[:3]))

    def move(self, row: Row, state: int, at: int = 0) -> None:
        """Move a message to the back of a state, with the attempts, failed and expires of `row`."""
        counts = self._counts
        counts.turn += 1
        new = (state, at, counts.turn, row.attempts, row.failed, row.expires)
        self._execute(_MOVE, (*new, self._queue_id, *row[:3]))
        counts.states[row.state] -= 1
        counts.states[state] += 1

    def remove(self, row: Row) -> bool:
        """Delete a message, its body and its failure; return False if it is no longer where `row` says."""
        if not self._execute(_DELETE, (self._queue_id, *row[:3])).rowcount:
            return False
        if row.body is None:
            self._execute(_DELETE_BODY, (row.key,))
        if row.failed:
            self.delete_failure(row.key)
        self._counts.states[row.state] -= 1
        return True

    # Failures

    def set_failure(self, key: int, error: str, trace: str, now: float) -> None:
        """Keep why a message failed at `now` (Unix seconds). The time of its first failure stays."""
        self._execute(_SET_FAILURE, (key, _storable(error), _storable(trace), now, now))

    def set_reason(self, key: int, reason: str) -> None:
        """Keep why a message that failed became a dead letter."""
        self._execute(_SET_REASON, (reason, key))

    def delete_failure(self, key: int) -> None:
        """Forget why a message failed."""
        self._execute(_DELETE_FAILURE, (key,))

    # Inspecting

    def dead_letters(self) -> list[DeadLetter]:
        """Return the dead letters, oldest first."""
        return [self._letter(row) for row in self.first(DEAD)]

    def oldest_dead(self, most: int, shown: int) -> list[Excerpt]:
        """Return the first `most` dead letters, oldest first, with `shown` bytes of each body."""
        return [self._excerpt(row, shown) for row in self.first(DEAD, min(most, MAX_INTEGER))]

    def newest_dead(self, most: int, shown: int) -> list[Excerpt]:
        """Return the last `most` dead letters, oldest first, with `shown` bytes of each body."""
        rows = self._execute(_LAST, (self._queue_id, DEAD, min(most, MAX_INTEGER))).fetchall()
        return [self._excerpt(Row._make(row), shown) for row in reversed(rows)]

    def oldest(self) -> float | None:
        """Return when the first READY message was accepted, in Unix seconds; None if there is none."""
        first = self.first(READY, 1)
        return first[0].timestamp if first else None

    def check(self) -> None:
        """Raise InvariantError if the conservation law does not hold, or the counts do not fit the messages."""
        stats = self._counts.stats()
        stats.check(self._name)
        found = dict(self._execute(_COUNT, (self._queue_id,)).fetchall())
        if [found.get(state, 0) for state in range(len(STATES))] != self._counts.states:
            raise InvariantError(f"queue {self._name!r} has {found} messages by state, and counts {stats}")

    def _excerpt(self, row: Row, shown: int) -> Excerpt:
        if row.body is None:
            body, size = self._execute(_BODY_START, (shown, row.key)).fetchone()
        else:
            body, size = row.body[:shown], len(row.body)
        return Excerpt(self._letter(row._replace(body=body)), size)

    def _letter(self, row: Row) -> DeadLetter:
        failure = self._execute(_FAILURE, (row.key,)).fetchone()
        return DeadLetter(self.message(row), self._name, *failure)
