"""One connection to one SQLite file: opening it safely, waiting for other processes, and what went wrong in words.

Processes take turns by SQLite's own write lock; none of them ever waits while it holds it.
"""

import os
import random
import sqlite3
import time
from collections.abc import Callable
from typing import Any, TypeVar

from lightbroker.core.errors import BrokerError, QueueClosed, StoreError

APPLICATION_ID = 0x4C426B72  # "LBkr", in the header of the file
SCHEMA_VERSION = 3
_PATIENCE = 60.0  # seconds for which another process may keep the write lock
_PAUSE = 0.0005, 0.01  # seconds between two looks whether it is free, at first and at most
_CHECKPOINT = 4000  # pages in the log before they are copied to the file: 16 MiB
_LOG_KEPT = 64 * 1024 * 1024  # bytes of an emptied log that are not given back to the file system

# A message is one row that moves: its key is its state and its place there, so every look-up is the start of a range,
# and no transition but failing touches a second table for it. What is too long to be moved about lies in `body`.
# The row with state -1 holds the counts of the queue, see `sqlite_counts`.
# The index must not be partial by state: SQLite would then prepare each statement anew for every state bound to it.
# Times are whole Unix microseconds: they compare exactly and mean the same in every process and after a reboot.
_SCHEMA = """
CREATE TABLE queue (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, capacity INTEGER, dead_capacity INTEGER, options TEXT NOT NULL);
CREATE TABLE message (
    queue INTEGER NOT NULL, state INTEGER NOT NULL, at INTEGER NOT NULL, turn INTEGER NOT NULL,
    key INTEGER NOT NULL, attempts INTEGER NOT NULL, failed INTEGER NOT NULL, expires INTEGER,
    id TEXT NOT NULL, timestamp REAL NOT NULL, headers TEXT, body BLOB,
    PRIMARY KEY (queue, state, at, turn)) WITHOUT ROWID;
CREATE INDEX mortal ON message (queue, state, expires) WHERE expires IS NOT NULL;
CREATE TABLE body (key INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE failure (
    key INTEGER PRIMARY KEY, reason TEXT, error TEXT NOT NULL, traceback TEXT NOT NULL,
    first_at REAL NOT NULL, last_at REAL NOT NULL);
"""

T = TypeVar("T")


class SqliteConnection:
    """Opens the file at `path`; raises StoreError for one that cannot be used or is somebody else's.

    create: whether to make it if it is not there.
    """

    def __init__(self, path: str, synchronous: str, create: bool = True) -> None:
        if not (create or os.path.exists(path)):
            raise StoreError(f"{path} does not exist, and was not made; check the path")
        self._path = path
        self._closed = False
        try:
            self._connection = sqlite3.connect(path, timeout=0.0, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise self._explain(error) from error
        cursor = self._connection.cursor()  # one for all: what a statement finds is read before the next begins
        self.execute, self.executemany = cursor.execute, cursor.executemany
        try:
            self._patiently(lambda: self._prepare(synchronous))
        except BaseException as error:
            self._connection.close()
            if isinstance(error, sqlite3.Error):
                raise self._explain(error) from error
            raise

    def _prepare(self, synchronous: str) -> None:
        self.execute("BEGIN")  # one state of the file: another process may be making it right now
        try:
            fresh = self._check()
        finally:
            self._roll_back()
        if self._pragma("journal_mode=WAL") != "wal":
            raise StoreError(f"{self._path}: its file system has no shared memory, which SQLite's log (WAL) needs")
        for setting in (
            f"synchronous={synchronous}",
            f"wal_autocheckpoint={_CHECKPOINT}",
            f"journal_size_limit={_LOG_KEPT}",
            "secure_delete=OFF",  # some distributions overwrite what is deleted, at the price of more pages to write
        ):
            self._pragma(setting)
        self.execute("BEGIN IMMEDIATE")
        try:
            if fresh and self._check():
                for statement in _SCHEMA.split(";"):
                    self.execute(statement)
                self._pragma(f"application_id={APPLICATION_ID}")
            self._pragma(f"user_version={SCHEMA_VERSION}")  # each time: it finds out whether the file can be written
            self.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _check(self) -> bool:
        """Whether the file is empty; raises StoreError unless it is, or holds what this version can read."""
        owner, version = self._pragma("application_id"), self._pragma("user_version")
        if owner == 0 and self.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            return True
        if owner != APPLICATION_ID:
            raise StoreError(f"{self._path} is an SQLite file of another program; nothing was changed")
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"{self._path} has schema version {version}, this LightBroker reads {SCHEMA_VERSION}; nothing was "
                f"changed"
            )
        return False

    def _pragma(self, setting: str) -> Any:
        row = self.execute(f"PRAGMA {setting}").fetchone()
        return row and row[0]

    def close(self) -> None:
        """Close the connection; the last process to do so also removes the log."""
        self._closed = True
        self._connection.close()

    def _roll_back(self) -> None:
        if not self._closed and self._connection.in_transaction:
            self.execute("ROLLBACK")

    def _patiently(self, step: Callable[[], T]) -> T:
        """Do `step`, again and again while another process has the lock that it needs."""
        until = time.monotonic() + _PATIENCE
        pause, longest = _PAUSE
        while True:
            try:
                return step()
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2.0 * pause, longest)

    def _explain(self, error: sqlite3.Error) -> BrokerError:
        if self._closed:
            return QueueClosed("the broker is closed")
        text = str(error)
        for sign, meaning in (
            ("full", "there is no room for more; nothing was changed"),
            ("readonly", "it cannot be written; the broker needs to write the file and its directory"),
            ("unable to open", "it cannot be opened; its directory must exist and be writable"),
            ("not a database", "it is not an SQLite file; nothing was changed"),
            ("malformed", "it is damaged; restore it from a copy, or save what `sqlite3 FILE .recover` finds"),
            ("locked", f"another process has kept the write lock for {_PATIENCE:g} s"),
        ):
            if sign in text:
                return StoreError(f"{self._path}: {meaning} (SQLite: {text})")
        return StoreError(f"{self._path}: SQLite: {text}")
