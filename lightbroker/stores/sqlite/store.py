"""The queues of an SQLite file by name, and the URLs that name such a file.

Capacity and counts belong to the file: every process sees the same. The other options of a queue belong to each process
and apply to what that process does. The file also keeps the options of the process that opened a queue last, so that
a program which only inspects or repairs a queue need not know them.

The file must stay where it is while a broker has it open. If somebody deletes it, replaces it or restores a copy over
it, SQLite goes on writing to the old file, which no longer has a name. Whatever is accepted from then on is lost.
"""

from functools import partial
from urllib.parse import parse_qsl, unquote, urlsplit

from lightbroker.core.clock import Clock
from lightbroker.core.policy import QueueOptions
from lightbroker.core.store import Note
from lightbroker.stores.sqlite.counts import create_counts
from lightbroker.stores.sqlite.file import SqliteFile
from lightbroker.stores.sqlite.queue import SqliteQueue
from lightbroker.stores.sqlite.schema import MAX_INTEGER
from lightbroker.stores.sqlite.waiting import FilePoller

_DECLARE = "INSERT OR IGNORE INTO queue (name, capacity, dead_capacity, options) VALUES (?, ?, ?, ?)"
_FIND = "SELECT id, capacity, dead_capacity FROM queue WHERE name = ?"
_SET_OPTIONS = "UPDATE queue SET options = ? WHERE id = ?"
_LIST = "SELECT name, options FROM queue ORDER BY name"


def open_store(url: str, create: bool = True) -> "SqliteStore":
    """Open the file that `sqlite:///path.db` or `sqlite:////absolute/path.db` names.

    Args:
        url: `?synchronous=normal` (the default) or `?synchronous=full` says what a commit survives, see `file`.
        create: Whether to make a file that is not there.

    Raises:
        ValueError: The URL makes no sense. The text names what is wrong with it.
        StoreError: The file cannot be used.
    """
    parts = urlsplit(url)
    if parts.netloc or parts.fragment or len(parts.path) < 2:
        raise ValueError(f"store: {url!r} names no file; write sqlite:///path.db or sqlite:////absolute/path.db")
    options = {"synchronous": "normal", **dict(parse_qsl(parts.query, keep_blank_values=True))}
    synchronous = options.pop("synchronous").lower()
    if options:
        raise ValueError(f"store: {url!r} has the unknown option {', '.join(sorted(options))}; there is: synchronous")
    if synchronous not in ("normal", "full"):
        raise ValueError(f"store: synchronous must be normal or full, not {synchronous!r}")
    path = unquote(parts.path[1:])
    if path == ":memory:":
        raise ValueError(f"store: {url!r} would be lost with the process; use 'memory://', which is faster")
    return SqliteStore(path, synchronous, create)


class SqliteStore:
    """The queues in one SQLite file. Needs SQLite 3.24 or later, which every supported Python is built with.

    Args:
        path: Where the file is.
        synchronous: "normal" or "full"; see `file`.
        create: Whether to make a file that is not there.

    Raises:
        StoreError: The file cannot be used.
    """

    def __init__(self, path: str, synchronous: str = "normal", create: bool = True) -> None:
        self.path = path
        self._file = SqliteFile(path, synchronous, create)
        self._poller = FilePoller()

    def queue(self, name: str, options: QueueOptions, clock: Clock, note: Note | None) -> SqliteQueue:
        """Open the queue `name`, made if the file does not have it; see `Store.queue`.

        Raises:
            ValueError: The file holds the queue with another `capacity` or `dead_capacity`, or cannot hold these.
        """
        for bound, value in (("capacity", options.capacity), ("dead_capacity", options.dead_capacity)):
            if value is not None and value > MAX_INTEGER:
                raise ValueError(f"{bound} must be at most {MAX_INTEGER} in an SQLite file, or None, not {value}")
        queue_id = self._file.run(partial(self._declare, name, options))
        return SqliteQueue(self._file, self._poller, queue_id, name, options, clock, note)

    def _declare(self, name: str, options: QueueOptions) -> int:
        """Add the queue to the file unless it is there, and return its number; raise ValueError for other bounds."""
        bounds = {"capacity": options.capacity, "dead_capacity": options.dead_capacity}
        text = options.to_json()
        self._file.execute(_DECLARE, (name, *bounds.values(), text))
        queue_id, *declared = self._file.execute(_FIND, (name,)).fetchone()
        differing = [
            f"{bound}={ours!r} (the file has {theirs!r})"
            for (bound, ours), theirs in zip(bounds.items(), declared)
            if ours != theirs
        ]
        if differing:
            raise ValueError(
                f"queue {name!r} is declared already, with other options: {', '.join(differing)}; to change "
                f"them, stop every program that uses the file and update its table `queue`"
            )
        self._file.execute(_SET_OPTIONS, (text, queue_id))
        create_counts(self._file, queue_id)
        return int(queue_id)

    def declared(self) -> dict[str, QueueOptions]:
        """Return the queues in the file, each with the options of the process that opened it last."""
        rows = self._file.read(lambda: self._file.execute(_LIST).fetchall())
        return {name: QueueOptions.from_json(options) for name, options in rows}

    def close(self) -> None:
        """Stop polling and close the file."""
        self._poller.close()
        self._file.close()
