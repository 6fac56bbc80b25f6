"""Transactions on one SQLite file, shared by the threads of a process (group commit).

A transaction happens as a whole or not at all, whatever is killed or interrupted. What a commit survives depends on
the setting `synchronous`:

    normal  (the default) The death of the process. A power cut or a crash of the operating system may take back the
            last commits, but leaves the file sound: SQLite appends each commit to a log, and calls fsync only when it
            copies the log to the file, every few thousand pages.
    full    A power cut too. SQLite calls fsync for each commit, so a commit takes as long as the disk needs.

Group commit: threads that write at the same time share one transaction, and so one fsync. This pays because a commit
costs nearly the same for one message as for a hundred. `SqliteFile.run` appends a job to a list. The thread that gets
the lock is the leader: it does all jobs in the list, commits once, and wakes the threads whose jobs are done. Then it
wakes one of the threads whose jobs came too late, which leads next. RocksDB's write groups work the same way.

The other threads do not wait for the lock, but each for a wake-up of its own. In a queue for the lock, a thread would
learn too late that its job is done, and its next job would miss the commit that is about to start. Reads are jobs too.
If a thread took the lock just for itself, one that reads in a loop would find it free each time, and the writers that
were woken would always come too late.
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

# Seconds after which a waiting thread looks for itself, in case the thread that should have woken it was interrupted.
_RECHECK = 0.1
_READ, _WRITE = "BEGIN", "BEGIN IMMEDIATE"

T = TypeVar("T")


class Participant(Protocol):
    """What a transaction changes in memory, beside the file. It adds itself to `SqliteFile.participants`."""

    def save(self) -> None:
        """Write the changes to the file. Called just before the commit."""

    def committed(self) -> None:
        """Tell the process what changed. Called just after the commit, with the lock of the file held."""

    def rolled_back(self) -> None:
        """Load everything anew when it is needed next. Called if there is no commit."""


class _Job(Generic[T]):
    """What one thread wants done in a transaction, then its result or its error."""

    __slots__ = ("begin", "done", "error", "result", "wake_up", "work")
    result: T

    def __init__(self, begin: str, work: Callable[[], T]) -> None:
        self.begin = begin
        self.work = work
        self.error: Exception | None = None
        self.done = False
        self.wake_up = threading.Lock()  # its thread waits to acquire it a second time
        self.wake_up.acquire()

    def wake(self) -> None:
        """Wake the thread of the job: the job is done, or that thread is to lead."""
        with suppress(RuntimeError):  # the thread was woken before
            self.wake_up.release()

    def attempt(self) -> None:
        """Do the work, inside a transaction that may hold other jobs as well."""
        if self.done:  # the thread was interrupted and has left
            return
        self.error = None
        try:
            self.result = self.work()
        except BrokerError as error:  # an answer like any other: what the work has counted is to be committed
            self.error = error


class SqliteFile:
    """One SQLite file. All threads of the process use it through `run` and `read`.

    The arguments, and what opening raises, are those of `SqliteConnection`.
    """

    def __init__(self, path: str, synchronous: str, create: bool = True) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()  # held by the thread that leads; it guards all of this but `_jobs`
        self._jobs: deque[_Job[Any]] = deque()
        # Jobs whose transaction is ending, by a commit or with an error: done as soon as SQLite is in no transaction.
        self._ending: list[_Job[Any]] = []
        #: SQLite's number for the state of the file. It differs from one transaction to the next only if another
        #: process has written in between.
        self.data_version = 0
        self.participants: list[Participant] = []  #: of the current transaction
        self.on_commit: deque[Callable[[], object]] = deque()  #: called in order after the commit
        self.on_rollback: deque[Callable[[], object]] = deque()  #: called last to first if there is no commit
        self._connection = SqliteConnection(path, synchronous, create)
        self.execute, self.executemany = self._connection.execute, self._connection.executemany

    def run(self, work: Callable[[], T]) -> T:
        """Do `work` in a transaction, perhaps together with the work of other threads.

        Args:
            work: May be called more than once, so it must leave no trace but in the file and in participants. What is
                to happen once goes to `on_commit`. If other work in the same transaction must see a change in memory,
                `work` makes it at once and adds to `on_rollback` how to undo it, which may happen twice.

        Returns:
            What `work` returns, after the commit.

        Raises:
            BrokerError: `work` raised it. What `work` wrote before is committed all the same.
            StoreError: There was no commit.
        """
        return self._share(_Job(_WRITE, work))

    def read(self, work: Callable[[], T]) -> T:
        """Do `work`, which only reads, on one state of the file, and return its result.

        A read does not wait for a process that writes. It may have to wait for a thread of its own process that does.
        """
        return self._share(_Job(_READ, work))

    def _share(self, job: _Job[T]) -> T:
        """Do the job, or wait until another thread has done it, and return its result."""
        if self._process != os.getpid():
            path = self._connection.path
            raise StoreError(f"{path} was opened before a fork; open a broker of its own in each process")
        self._jobs.append(job)
        try:
            while not job.done:
                if self._lock.locked():  # another thread leads
                    job.wake_up.acquire(timeout=_RECHECK)
                    continue
                with self._lock:
                    self._finish()
                    if not job.done:
                        self._do_all(list(self._jobs))
                self._wake_next_leader()
        except BaseException:
            job.done = True  # this thread leaves: nobody needs the result any more
            self._wake_next_leader()
            raise
        if job.error is not None:
            raise job.error
        return job.result

    def close(self) -> None:
        """Close the connection; the last process to do so also removes the log."""
        with self._lock:
            self._connection.close()
        self._wake_next_leader()

    def _wake_next_leader(self) -> None:
        for job in list(self._jobs):
            if not job.done:
                job.wake()
                return

    def _do_all(self, jobs: list[_Job[Any]]) -> None:
        """Do the jobs that read in one transaction, and those that write in another."""
        for begin in (_READ, _WRITE):
            if alike := [job for job in jobs if job.begin == begin]:
                self._transact(begin, alike)

    def _transact(self, begin: str, jobs: list[_Job[Any]]) -> None:
        """Do the jobs and commit once. If this thread is interrupted, jobs that are not done stay in `_jobs`."""
        begun = False
        try:
            self._connection.retry_while_locked(partial(self._begin, begin))
            begun = True
            for job in jobs:
                job.attempt()
            for participant in self.participants:
                participant.save()
            self._ending = jobs
            self.execute("COMMIT")
        except Exception as error:
            self._roll_back()
            if begun and len(jobs) > 1:  # one job has failed for all of them: do each in a transaction of its own
                for job in jobs:
                    self._transact(begin, [job])
            else:
                for job in jobs:
                    job.error = self._connection.explain(error) if isinstance(error, sqlite3.Error) else error
                self._ending = jobs
        except BaseException:  # such as Ctrl-C: it concerns this thread, not the others whose jobs it does
            if self._connection.in_transaction:
                self._roll_back()
            raise
        self._finish()

    def _begin(self, statement: str) -> None:
        if self._connection.in_transaction:  # the leader before was interrupted while it ended its transaction
            self._roll_back()
        self.execute(statement)
        self.data_version = self.execute("PRAGMA data_version").fetchone()[0]

    def _finish(self) -> None:
        """Do what follows a commit, or what the last leader has left of it because it was interrupted."""
        if self._connection.in_transaction:  # the last leader was interrupted before its commit, or in a rollback
            self._roll_back()
        self.on_rollback.clear()
        while self.participants:
            self.participants.pop().committed()
        while self.on_commit:
            self.on_commit.popleft()()
        for job in self._ending:
            job.done = True
            job.wake()
        self._ending = []
        while self._jobs and self._jobs[0].done:
            self._jobs.popleft()

    def _roll_back(self) -> None:
        """Undo the transaction in memory, then in the file.

        The file comes last, and each step is taken off its list only when it is done. So if this thread is interrupted,
        the next leader finds the file still in the transaction, and goes on where this one was.
        """
        self._ending = []
        self.on_commit.clear()
        while self.on_rollback:
            self.on_rollback[-1]()
            self.on_rollback.pop()
        while self.participants:
            self.participants[-1].rolled_back()
            self.participants.pop()
        self._connection.roll_back()
