"""One SQLite file and one connection to it: opening it safely, and transactions that threads share (group commit).

Every change is work for `SqliteFile.run`. Whoever holds the lock does the work of all who wait and commits once, so the
cost of a commit, an fsync with `synchronous=full`, is shared by the threads that need one at that time. They wait to be
called and not for the lock (leader and followers, as in RocksDB's write groups): a thread whose work was done would
otherwise stand in line once more, and come too late with its next for the commit that follows.
Processes take turns by SQLite's own write lock; none of them ever waits while it holds it.
"""

import os
import random
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from lightbroker.errors import BrokerError, QueueClosed, StoreError

APPLICATION_ID = 0x4C426B72  # "LBkr", in the header of the file
SCHEMA_VERSION = 2
_PATIENCE = 60.0  # seconds for which another process may keep the write lock
_PAUSE = 0.0005, 0.01  # seconds between two looks whether it is free, at first and at most
_CHECKPOINT = 4000  # pages in the log before they are copied to the file: 16 MiB
_GLANCE = 0.1  # seconds after which a thread looks for itself: who should have called it may have been interrupted
_LOG_KEPT = 64 * 1024 * 1024  # bytes of an emptied log that are not given back to the file system

# A message is one row that moves: its key is its state and its place there, so every look-up is the start of a range,
# and no transition but failing touches a second page for it. What is too long to be moved about lies in `body`.
# The index must not be partial by state: SQLite would then prepare each statement anew for every state bound to it.
# Times are whole Unix microseconds: they compare exactly and mean the same in every process and after a reboot.
_SCHEMA = """
CREATE TABLE queue (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, capacity INTEGER, dead_capacity INTEGER, options TEXT NOT NULL,
    turn INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL DEFAULT 4611686018427387904,
    ready INTEGER NOT NULL DEFAULT 0, delayed INTEGER NOT NULL DEFAULT 0, leased INTEGER NOT NULL DEFAULT 0,
    dead INTEGER NOT NULL DEFAULT 0, accepted INTEGER NOT NULL DEFAULT 0, acked INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0, expired INTEGER NOT NULL DEFAULT 0, purged INTEGER NOT NULL DEFAULT 0,
    retried INTEGER NOT NULL DEFAULT 0, redriven INTEGER NOT NULL DEFAULT 0, refused INTEGER NOT NULL DEFAULT 0);
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


class Touched(Protocol):
    """What a transaction loaded and has to bring to an end: with `save` and `committed`, or with `forget`."""

    def save(self) -> None:
        """Write what changed; just before the commit."""

    def committed(self) -> None:
        """Tell the process what changed; just after the commit, with the lock held."""

    def forget(self) -> None:
        """There was no commit: load everything anew."""


class _Job(Generic[T]):
    __slots__ = ("called", "done", "error", "result", "work")
    result: T

    def __init__(self, work: Callable[[], T]) -> None:
        self.work = work
        self.error: Exception | None = None
        self.done = False
        self.called = threading.Lock()  # held until its thread shall go on
        self.called.acquire()

    def call(self) -> None:
        """Let its thread go on: the job is done, or it is that thread's turn to do what waits."""
        with suppress(RuntimeError):  # it has been called already
            self.called.release()

    def attempt(self) -> None:
        if self.done:  # its thread was interrupted and has given it up
            return
        self.error = None
        try:
            self.result = self.work()
        except BrokerError as error:  # an answer like any other: what it counted is to be committed
            self.error = error


class SqliteFile:
    """Opens the file at `path`; raises StoreError for one that cannot be used or is somebody else's.

    create: whether to make it if it is not there.
    """

    def __init__(self, path: str, synchronous: str, create: bool = True) -> None:
        if not (create or os.path.exists(path)):
            raise StoreError(f"{path} does not exist, and was not made; check the path")
        self._path = path
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._closed = False
        self._jobs: deque[_Job[Any]] = deque()
        self.version = 0  #: another process has written if, in a transaction, this is no longer what it was
        self.touched: list[Touched] = []
        self.after_commit: deque[Callable[[], object]] = deque()
        self._finishing: list[_Job[Any]] = []
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
            self._undo()
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
            self._undo()
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

    def run(self, work: Callable[[], T]) -> T:
        """Do `work` in a transaction, perhaps together with that of other threads, and return its result.

        `work` may run more than once and must leave no trace but in the file; what it wants to happen once goes to
        `after_commit`. A BrokerError from it is raised here, after the commit. Raises StoreError if there is none.
        """
        if self._process != os.getpid():
            raise StoreError(f"{self._path} was opened before a fork; open a broker of its own in each process")
        job = _Job(work)
        self._jobs.append(job)
        try:
            while not job.done:
                if self._lock.locked():
                    job.called.acquire(timeout=_GLANCE)
                    continue
                with self._lock:
                    self._finish()
                    if not job.done:
                        self._transact(list(self._jobs))
                self._call_next()
        except BaseException:
            job.done = True  # nobody waits for it any more
            self._call_next()
            raise
        if job.error is not None:
            raise job.error
        return job.result

    def read(self, work: Callable[[], T]) -> T:
        """Do `work`, which only reads, on one state of the file; it waits for no other process."""
        try:
            with self._lock:
                self._finish()
                return self._patiently(lambda: self._snapshot(work))
        except sqlite3.Error as error:
            raise self._explain(error) from error
        finally:
            self._call_next()

    def _snapshot(self, work: Callable[[], T]) -> T:
        try:
            self._begin("BEGIN")
            return work()
        finally:
            self._undo()

    def close(self) -> None:
        """Close the connection; the last process to do so also removes the log."""
        with self._lock:
            self._closed = True
            self._connection.close()
        self._call_next()

    def _call_next(self) -> None:
        """The lock is free: let one of those who wait do the work of all of them."""
        for job in list(self._jobs):
            if not job.done:
                job.call()
                return

    def _transact(self, jobs: list[_Job[Any]]) -> None:
        """Do `jobs` and commit. Whatever interrupts it, a job stays in `_jobs` until it is done."""
        try:
            self._patiently(partial(self._begin, "BEGIN IMMEDIATE"))
            for job in jobs:
                job.attempt()
            for touched in self.touched:
                touched.save()
            self._finishing = jobs
            self.execute("COMMIT")
        except Exception as error:
            self._undo()
            if len(jobs) == 1:
                jobs[0].error = self._explain(error) if isinstance(error, sqlite3.Error) else error
                self._finishing = jobs
            else:
                for job in jobs:  # one spoilt it for all
                    self._transact([job])
        except BaseException:  # such as Ctrl-C, which concerns this thread, not those whose work it does
            if self._connection.in_transaction:
                self._undo()
            raise
        self._finish()

    def _begin(self, statement: str) -> None:
        if self._connection.in_transaction:  # a thread was interrupted while it ended the last one
            self._undo()
        self.execute(statement)
        self.version = self._pragma("data_version")

    def _finish(self) -> None:
        """Hand out what was committed; also what a thread left over that was interrupted while it did so."""
        while self.touched:
            self.touched.pop().committed()
        while self.after_commit:
            self.after_commit.popleft()()
        for job in self._finishing:
            job.done = True
            job.call()
        self._finishing = []
        while self._jobs and self._jobs[0].done:
            self._jobs.popleft()

    def _undo(self) -> None:
        self._finishing = []
        self.after_commit.clear()
        while self.touched:
            self.touched.pop().forget()
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
