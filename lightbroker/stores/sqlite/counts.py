"""The counts of one queue in an SQLite file, in one row that every process shares.

A transaction reads the row, changes the counts in Python, and writes the row just before its commit. So the counts are
as exact and as durable as the messages. The row is read again only if another process has written meanwhile.

The row lies among the messages, just before the READY ones. A commit writes whole pages, and in a short queue the
counts are thus on a page that changes anyway.
"""

import struct
from collections.abc import Callable

from lightbroker.core.stats import QueueStats
from lightbroker.stores.sqlite.file import SqliteFile
from lightbroker.stores.sqlite.schema import COUNTS, DEAD, DELAYED, LEASED, MAX_INTEGER, MAX_TIME, READY

_RECORD = struct.Struct("<14q")  # turn and due, the states, then the totals in the order of `QueueStats`
_WHERE = f"queue = ? AND state = {COUNTS} AND at = 0 AND turn = 0"
_CREATE = f"INSERT OR IGNORE INTO message VALUES (?, {COUNTS}, 0, 0, 0, 0, 0, NULL, '', 0, NULL, ?)"
_LOAD = f"SELECT body FROM message WHERE {_WHERE}"
_SAVE = f"UPDATE message SET body = ? WHERE {_WHERE}"


def create_counts(file: SqliteFile, queue_id: int) -> None:
    """Make the counts of a queue, all zero, unless they are there. Called in a transaction."""
    file.execute(_CREATE, (queue_id, _RECORD.pack(0, MAX_TIME, *[0] * 12)))


class QueueCounts:
    """The counts of one queue. A transaction calls `load` before it reads or changes them.

    Args:
        file: Where they are; `create_counts` has been called.
        queue_id: The queue's number in the file.
        capacity: Messages that the queue may hold (None: any number).
        on_change: Called after each commit that changed a count. It may read the counts.
    """

    def __init__(self, file: SqliteFile, queue_id: int, capacity: int | None, on_change: Callable[[], None]) -> None:
        self._file = file
        self.queue_id = queue_id
        self._capacity = capacity
        self._on_change = on_change
        self.states = [0, 0, 0, 0]  #: messages that are READY, DELAYED, LEASED, DEAD
        self.due = MAX_TIME  #: microseconds; no delay, lease or time-to-live ends before
        self.turn = 0  #: the last that was given out
        self.accepted = self.acked = self.dropped = self.expired = 0
        self.purged = self.retried = self.redriven = self.refused = 0
        self._data_version: int | None = None  # of the transaction that read or wrote the row last
        self._saved: tuple[int, ...] = ()  # what the row holds
        self._changed = False  # by the current transaction

    def load(self) -> None:
        """Bring the counts up to date. After the first call in a transaction, do nothing."""
        if self in self._file.participants:
            return
        self._file.participants.append(self)
        if self._data_version != self._file.data_version:
            self._data_version = self._file.data_version
            self._saved = counts = _RECORD.unpack(self._file.execute(_LOAD, (self.queue_id,)).fetchone()[0])
            self.turn, self.due, *self.states = counts[:6]
            self.accepted, self.acked, self.dropped, self.expired = counts[6:10]
            self.purged, self.retried, self.redriven, self.refused = counts[10:]

    def save(self) -> None:
        """Write the counts if they changed; see `Participant`."""
        counts = (
            *(self.turn, self.due, *self.states, self.accepted, self.acked, self.dropped, self.expired),
            *(self.purged, self.retried, self.redriven, self.refused),
        )
        self._changed = counts != self._saved
        if self._changed:
            self._file.execute(_SAVE, (_RECORD.pack(*counts), self.queue_id))
            self._saved = counts

    def committed(self) -> None:
        """Call `on_change` if the counts changed; see `Participant`."""
        if self._changed:
            self._on_change()

    def rolled_back(self) -> None:
        """Let the next transaction read the row; see `Participant`."""
        self._data_version = None

    @property
    def room(self) -> int:
        """How many more messages the queue may hold."""
        return MAX_INTEGER if self._capacity is None else max(0, self._capacity - sum(self.states[:DEAD]))

    def stats(self) -> QueueStats:
        """Return the counts by the names of the contract. Called in a transaction."""
        self.load()
        return QueueStats(
            ready=self.states[READY],
            delayed=self.states[DELAYED],
            leased=self.states[LEASED],
            dead=self.states[DEAD],
            capacity=self._capacity,
            accepted=self.accepted,
            acked=self.acked,
            dropped=self.dropped,
            expired=self.expired,
            purged=self.purged,
            retried=self.retried,
            redriven=self.redriven,
            refused=self.refused,
        )
