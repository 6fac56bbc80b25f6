"""The queues of an SQLite file by name, and the URLs that name such a file.

Capacity and counts belong to the file: every process sees the same. The other options of a queue belong to each process
and apply to what that process does. The file also keeps the options of the process that opened a queue last, so that
a program which only inspects or repairs a queue need not know them.

The file must stay where it is while a broker has it open. If somebody deletes it, replaces it or restores a copy over
it, SQLite goes on writing to the old file, which no longer has a name. Whatever is accepted from then on is lost.
"""

from urllib.parse import parse_qsl, unquote, urlsplit

from lightbroker.core.clock import Clock
from lightbroker.core.policy import QueueOptions
from lightbroker.core.store import Note
from lightbroker.stores.sqlite.file import SqliteFile
from lightbroker.stores.sqlite.queue import SqliteQueue
from lightbroker.stores.sqlite.waiting import FilePoller

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
        """Open the queue `name`; raises ValueError if the file holds it with other bounds."""
        return SqliteQueue(self._file, self._poller, name, options, clock, note)

    def declared(self) -> dict[str, QueueOptions]:
        """Return the queues in the file, each with the options of the process that opened it last."""
        rows = self._file.read(lambda: self._file.execute(_LIST).fetchall())
        return {name: QueueOptions.from_json(options) for name, options in rows}

    def close(self) -> None:
        """Stop polling and close the file."""
        self._poller.close()
        self._file.close()
