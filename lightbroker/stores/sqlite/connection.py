"""One connection to one SQLite file: opening it safely, waiting for other processes, and explaining errors.

Processes take turns by SQLite's own write lock. No process waits for anything else while it holds that lock.
"""

import os
import random
import sqlite3
import time
from collections.abc import Callable
from typing import Any, TypeVar

from lightbroker.core.errors import BrokerError, QueueClosed, StoreError
from lightbroker.stores.sqlite.schema import APPLICATION_ID, SCHEMA, SCHEMA_VERSION

_LOCK_TIMEOUT = 60.0  # seconds for which another process may keep the write lock
_PAUSE = 0.0005, 0.01  # seconds between two tries to get it: the first pause and the longest
_CHECKPOINT = 4000  # pages in the log before SQLite copies them to the file: 16 MiB
_LOG_KEPT = 64 * 1024 * 1024  # bytes of an emptied log that are not given back to the file system

T = TypeVar("T")


class SqliteConnection:
    """A connection to the file at `path`.

    Args:
        path: Where the file is.
        synchronous: SQLite's setting of that name, "normal" or "full".
        create: Whether to make a file that is not there.

    Raises:
        StoreError: The file cannot be used, or belongs to another program.
    """

    def __init__(self, path: str, synchronous: str, create: bool) -> None:
        if not (create or os.path.exists(path)):
            raise StoreError(f"{path} does not exist, and was not made; check the path")
        self.path = path
        self._closed = False
        try:
            self._connection = sqlite3.connect(path, timeout=0.0, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise self.explain(error) from error
        # One cursor serves all statements, because the rows of each are read before the next begins.
        cursor = self._connection.cursor()
        self.execute, self.executemany = cursor.execute, cursor.executemany
        try:
            self.retry_while_locked(lambda: self._set_up(synchronous))
        except BaseException as error:
            self._connection.close()
            if isinstance(error, sqlite3.Error):
                raise self.explain(error) from error
            raise

    def _set_up(self, synchronous: str) -> None:
        """Make the tables in an empty file, and set what SQLite keeps for a connection only."""
        self.execute("BEGIN")  # so that both checks see one state: another process may be making the tables right now
        try:
            empty = self._is_empty()
        finally:
            self.roll_back()
        if self._pragma("journal_mode=WAL") != "wal":
            raise StoreError(f"{self.path}: its file system has no shared memory, which SQLite's log (WAL) needs")
        for setting in (
            f"synchronous={synchronous}",
            f"wal_autocheckpoint={_CHECKPOINT}",
            f"journal_size_limit={_LOG_KEPT}",
            "secure_delete=OFF",  # some distributions overwrite what is deleted, at the price of more pages to write
        ):
            self._pragma(setting)
        self.execute("BEGIN IMMEDIATE")
        try:
            if empty and self._is_empty():
                for statement in SCHEMA.split(";"):
                    self.execute(statement)
                self._pragma(f"application_id={APPLICATION_ID}")
            # Written each time, because that is how a file that cannot be written is found out at once.
            self._pragma(f"user_version={SCHEMA_VERSION}")
            self.execute("COMMIT")
        except BaseException:
            self.roll_back()
            raise

    def _is_empty(self) -> bool:
        """Return whether the file has no tables yet; raise StoreError if this version cannot read what it has."""
        owner, version = self._pragma("application_id"), self._pragma("user_version")
        if owner == 0 and self.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            return True
        if owner != APPLICATION_ID:
            raise StoreError(f"{self.path} is an SQLite file of another program; nothing was changed")
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} has schema version {version}, this LightBroker reads {SCHEMA_VERSION}; nothing was "
                f"changed"
            )
        return False

    def _pragma(self, setting: str) -> Any:
        row = self.execute(f"PRAGMA {setting}").fetchone()
        return row and row[0]

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction has begun and has not ended."""
        return not self._closed and self._connection.in_transaction

    def roll_back(self) -> None:
        """End the transaction, if there is one, and undo what it changed."""
        if self.in_transaction:
            self.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection; the last process to do so also removes the log."""
        self._closed = True
        self._connection.close()

    def retry_while_locked(self, step: Callable[[], T]) -> T:
        """Call `step` again and again while another process has the lock that it needs.

        Args:
            step: Raises sqlite3.OperationalError without waiting if the file is locked.

        Returns:
            What `step` returns.

        Raises:
            sqlite3.OperationalError: The file was still locked after a minute.
        """
        until = time.monotonic() + _LOCK_TIMEOUT
        pause, longest = _PAUSE
        while True:
            try:
                return step()
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
            time.sleep(pause * random.uniform(0.5, 1.0))  # random, so that processes do not try in step
            pause = min(2.0 * pause, longest)

    def explain(self, error: sqlite3.Error) -> BrokerError:
        """Return the error to raise instead of SQLite's: it names the file and says what to do."""
        if self._closed:
            return QueueClosed("the broker is closed")
        text = str(error)
        for sign, meaning in (
            ("full", "there is no room for more; nothing was changed"),
            ("readonly", "it cannot be written; the broker needs to write the file and its directory"),
            ("unable to open", "it cannot be opened; its directory must exist and be writable"),
            ("not a database", "it is not an SQLite file; nothing was changed"),
            ("malformed", "it is damaged; restore it from a copy, or save what `sqlite3 FILE .recover` finds"),
            ("locked", f"another process has kept the write lock for {_LOCK_TIMEOUT:g} s"),
        ):
            if sign in text:
                return StoreError(f"{self.path}: {meaning} (SQLite: {text})")
        return StoreError(f"{self.path}: SQLite: {text}")
