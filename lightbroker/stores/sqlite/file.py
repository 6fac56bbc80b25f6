"""Transactions on one SQLite file that the threads of a process share (group commit).

Every change is work for `SqliteFile.run`. Whoever holds the lock does the work of all who wait and commits once, so the
cost of a commit, an fsync with `synchronous=full`, is shared by the threads that need one at that time. They wait to be
called and not for the lock (leader and followers, as in RocksDB's write groups): a thread whose work was done would
otherwise stand in line once more, and come too late with its next for the commit that follows. Who reads stands in
the same line, or a thread that reads again and again would find the lock free each time, and who writes never would.
"""

import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from lightbroker.core.errors import BrokerError, StoreError
from lightbroker.stores.sqlite.connection import SqliteConnection

_GLANCE = 0.1  # seconds after which a thread looks for itself: who should have called it may have been interrupted
_READ, _WRITE = "BEGIN", "BEGIN IMMEDIATE"

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
    __slots__ = ("begin", "called", "done", "error", "result", "work")
    result: T

    def __init__(self, begin: str, work: Callable[[], T]) -> None:
        self.begin = begin
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


class SqliteFile(SqliteConnection):
    """See `SqliteConnection` for the arguments, and what opening raises."""

    def __init__(self, path: str, synchronous: str, create: bool = True) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._jobs: deque[_Job[Any]] = deque()
        self.version = 0  #: another process has written if, in a transaction, this is no longer what it was
        self.touched: list[Touched] = []
        self.after_commit: deque[Callable[[], object]] = deque()
        self.undo: deque[Callable[[], object]] = deque()  #: done last to first unless there is a commit
        self._finishing: list[_Job[Any]] = []
        super().__init__(path, synchronous, create)

    def run(self, work: Callable[[], T]) -> T:
        """Do `work` in a transaction, perhaps together with that of other threads, and return its result.

        `work` may run more than once and must leave no trace but in the file; what it wants to happen once goes to
        `after_commit`. What other work must see in memory before the commit it changes at once, and tells `undo` how
        to change it back, which may be done twice. A BrokerError from it is raised here, after the commit. Raises
        StoreError if there is none.
        """
        return self._share(_Job(_WRITE, work))

    def read(self, work: Callable[[], T]) -> T:
        """Do `work`, which only reads, on one state of the file. For another process it waits only behind a writer."""
        return self._share(_Job(_READ, work))

    def _share(self, job: _Job[T]) -> T:
        if self._process != os.getpid():
            raise StoreError(f"{self._path} was opened before a fork; open a broker of its own in each process")
        self._jobs.append(job)
        try:
            while not job.done:
                if self._lock.locked():
                    job.called.acquire(timeout=_GLANCE)
                    continue
                with self._lock:
                    self._finish()
                    if not job.done:
                        self._work_off(list(self._jobs))
                self._call_next()
        except BaseException:
            job.done = True  # nobody waits for it any more
            self._call_next()
            raise
        if job.error is not None:
            raise job.error
        return job.result

    def close(self) -> None:
        """Close the connection; the last process to do so also removes the log."""
        with self._lock:
            super().close()
        self._call_next()

    def _call_next(self) -> None:
        """The lock is free: let one of those who wait do the work of all of them."""
        for job in list(self._jobs):
            if not job.done:
                job.call()
                return

    def _work_off(self, jobs: list[_Job[Any]]) -> None:
        """Do those that read in one transaction, and those that write in another."""
        for begin in (_READ, _WRITE):
            if alike := [job for job in jobs if job.begin == begin]:
                self._transact(begin, alike)

    def _transact(self, begin: str, jobs: list[_Job[Any]]) -> None:
        """Do `jobs` and commit. Whatever interrupts it, a job stays in `_jobs` until it is done."""
        begun = False
        try:
            self._patiently(partial(self._begin, begin))
            begun = True
            for job in jobs:
                job.attempt()
            for touched in self.touched:
                touched.save()
            self._finishing = jobs
            self.execute("COMMIT")
        except Exception as error:
            self._undo()
            if begun and len(jobs) > 1:  # one spoilt it for all
                for job in jobs:
                    self._transact(begin, [job])
            else:
                for job in jobs:
                    job.error = self._explain(error) if isinstance(error, sqlite3.Error) else error
                self._finishing = jobs
        except BaseException:  # such as Ctrl-C, which concerns this thread, not those whose work it does
            if self._connection.in_transaction:
                self._undo()
            raise
        self._finish()

    def _begin(self, statement: str) -> None:
        if self._connection.in_transaction:  # a thread was interrupted while it ended the last one
            self._undo()
        self.execute(statement)
        self.version = self.execute("PRAGMA data_version").fetchone()[0]

    def _finish(self) -> None:
        """Hand out what was committed; also what a thread left over that was interrupted while it did so."""
        if not self._closed and self._connection.in_transaction:  # or while it took back what was not committed
            self._undo()
        self.undo.clear()
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
        while self.undo:
            self.undo[-1]()
            self.undo.pop()  # only then: whoever comes after an interrupt goes on here
        while self.touched:
            self.touched[-1].forget()
            self.touched.pop()
        self._roll_back()
