"""The counts of one queue in an SQLite file, in one row that every process shares.

They are read once in a transaction, changed in Python, and written once just before its commit, so they are as exact
and as durable as the messages. The row lies among the messages, before those that are READY: a commit writes whole
pages, and this way the counts of a short queue are on the page that changes anyway.
"""

import struct
from collections.abc import Callable

from lightbroker.core.errors import InvariantError
from lightbroker.core.policy import QueueOptions
from lightbroker.core.store import QueueStats
from lightbroker.stores.sqlite.file import SqliteFile
from lightbroker.stores.sqlite.schema import DEAD, DELAYED, LEASED, MAX_INTEGER, MAX_TIME, READY

_COUNTS = struct.Struct("<14q")  # turn and due, then the states and the totals in the order of `QueueStats`
_HERE = "queue = ? AND state = -1 AND at = 0 AND turn = 0"
_MAKE = "INSERT OR IGNORE INTO queue (name, capacity, dead_capacity, options) VALUES (?, ?, ?, ?)"
_BEGIN = "INSERT OR IGNORE INTO message VALUES (?, -1, 0, 0, 0, 0, 0, NULL, '', 0, NULL, ?)"
_LOAD = f"SELECT body FROM message WHERE {_HERE}"
_SAVE = f"UPDATE message SET body = ? WHERE {_HERE}"


class QueueCounts:
    """The counts of the queue `name`; it is made if the file does not have it yet.

    announce: called after each commit that changed something, and may look at the counts. Raises ValueError for bounds
    above 2**63 - 1, or if the queue was made with other bounds: all processes share them.
    """

    def __init__(self, file: SqliteFile, name: str, options: QueueOptions, announce: Callable[[], None]) -> None:
        self._file = file
        self._name = name
        self._capacity = options.capacity
        self._execute, self._executemany = file.execute, file.executemany
        self._announce = announce
        self.states = [0, 0, 0, 0]  #: how many are READY, DELAYED, LEASED, DEAD
        self.due = MAX_TIME  #: microseconds; no delay, lease or TTL ends before
        self.turn = self.accepted = self.acked = self.dropped = self.expired = 0
        self.purged = self.retried = self.redriven = self.refused = 0
        self._version: int | None = None
        self._saved: tuple[int, ...] = ()
        self._changed = False
        bounds = {"capacity": options.capacity, "dead_capacity": options.dead_capacity}
        for bound, value in bounds.items():
            if value is not None and value > MAX_INTEGER:
                raise ValueError(f"{bound} must be at most {MAX_INTEGER} in an SQLite file, or None, not {value}")
        self.id = file.run(lambda: self._open(bounds, options.to_json()))

    def _open(self, bounds: dict[str, int | None], options: str) -> int:
        values = (self._name, *bounds.values(), options)
        self._execute(_MAKE, values)
        row = self._execute("SELECT id, capacity, dead_capacity FROM queue WHERE name = ?", values[:1]).fetchone()
        differing = [
            f"{bound}={mine!r} (the file has {its!r})"
            for (bound, mine), its in zip(bounds.items(), row[1:])
            if mine != its
        ]
        if differing:
            raise ValueError(
                f"queue {self._name!r} is declared already, with other options: {', '.join(differing)}; to change "
                f"them, stop every program that uses the file and update its table `queue`"
            )
        self._execute("UPDATE queue SET options = ? WHERE id = ?", (options, row[0]))
        self._execute(_BEGIN, (row[0], _COUNTS.pack(0, MAX_TIME, *[0] * 12)))
        return int(row[0])

    def load(self) -> None:
        """Read the counts, before anything else in a transaction; not again if nobody else has written since."""
        if self in self._file.participants:
            return
        self._file.participants.append(self)
        if self._version != self._file.data_version:
            self._version = self._file.data_version
            self._saved = counts = _COUNTS.unpack(self._execute(_LOAD, (self.id,)).fetchone()[0])
            self.turn, self.due, *self.states = counts[:6]
            self.accepted, self.acked, self.dropped, self.expired = counts[6:10]
            self.purged, self.retried, self.redriven, self.refused = counts[10:]

    def save(self) -> None:
        """Write the counts, if they changed."""
        counts = (
            *(self.turn, self.due, *self.states, self.accepted, self.acked, self.dropped, self.expired),
            *(self.purged, self.retried, self.redriven, self.refused),
        )
        self._changed = counts != self._saved
        if self._changed:
            self._execute(_SAVE, (_COUNTS.pack(*counts), self.id))
            self._saved = counts

    def committed(self) -> None:
        """Announce the change, if there was one."""
        if self._changed:
            self._announce()

    def rolled_back(self) -> None:
        """Read the counts anew when they are needed next."""
        self._version = None

    @property
    def room(self) -> int:
        """How many more messages the queue may hold; a lot if it has no bound."""
        return MAX_INTEGER if self._capacity is None else self._capacity - sum(self.states[:DEAD])

    def stats(self) -> QueueStats:
        """The counts as the contract names them."""
        self.load()
        return QueueStats(*self.states, self._capacity, *self._saved[6:])  # type: ignore

    def check(self) -> None:
        """Raise InvariantError if the law does not hold, or the counts do not fit the messages."""
        stats = self.stats()
        stats.check(self._name)
        there = dict(
            self._execute(
                "SELECT state, count(*) FROM message WHERE queue = ? AND state >= 0 GROUP BY state", (self.id,)
            ).fetchall()
        )
        if [there.get(state, 0) for state in (READY, DELAYED, LEASED, DEAD)] != self.states:
            raise InvariantError(f"queue {self._name!r} has {there} messages by state, and counts {stats}")
