"""The methods of a queue in an SQLite file: each transition is one transaction, see `file` for what that guarantees.

What a method does to the messages is in `transitions`. Here are the waiting for a message or for room, the waking of
threads that wait, and the alarm that moves messages on when time passes.

A time-out covers the wait for a message or for room. A method that changes something, even `pull(timeout=0)`, may also
have to wait for another process that is writing. That usually takes as long as a commit. After a minute it raises
StoreError.
"""

import logging
from collections.abc import Iterable, Sequence
from functools import partial
from queue import Empty

from lightbroker.core import errors
from lightbroker.core.clock import Clock
from lightbroker.core.errors import BrokerError, QueueClosed
from lightbroker.core.message import DeadLetter, Delivery, Message
from lightbroker.core.policy import Overflow, QueueOptions
from lightbroker.core.stats import QueueStats
from lightbroker.core.store import Excerpt, Note, pull_some, push_all
from lightbroker.core.waiting import Waiters
from lightbroker.stores.sqlite.counts import QueueCounts
from lightbroker.stores.sqlite.file import SqliteFile
from lightbroker.stores.sqlite.rows import QueueRows
from lightbroker.stores.sqlite.schema import MAX_TIME, READY, micros
from lightbroker.stores.sqlite.transitions import Transitions
from lightbroker.stores.sqlite.waiting import FilePoller, WaitList

log = logging.getLogger(__name__)

_RETRY_AFTER = 1.0  # seconds after which the alarm tries again, if what is due could not be moved on


class SqliteQueue:
    """One queue of an SQLite file.

    `StoredQueue`, `Inspectable` and `Waitable` in `lightbroker/core/store.py` say what each method promises.
    """

    def __init__(
        self,
        file: SqliteFile,
        poller: FilePoller,
        queue_id: int,
        name: str,
        options: QueueOptions,
        clock: Clock,
        note: Note | None,
    ) -> None:
        self._file, self._poller = file, poller
        self._name, self._options, self._clock = name, options, clock
        self._refusing = self._closed = False
        self._counts = QueueCounts(file, queue_id, options.capacity, self._on_change)
        self._rows = QueueRows(file, name, self._counts)
        self._transitions = Transitions(name, options, clock, note, file, self._counts, self._rows)
        self._pullers, self._pushers = WaitList(self._count_ready), WaitList(self._count_room)
        poller.wait_lists += self._pullers, self._pushers
        self._alarm = clock.alarm(self._catch_up)
        self._alarm_at = MAX_TIME  # microseconds: what the alarm is set for, if it is
        self._catch_up()

    def push(self, message: Message, timeout: float | None, delay: float) -> bool:
        return self.push_many((message,), timeout, delay)[0]

    def push_many(self, messages: Sequence[Message], timeout: float | None, delay: float) -> list[bool]:
        return push_all(self, messages, [], timeout, delay, blocks=self._options.overflow is Overflow.BLOCK)

    def pull(self, timeout: float | None) -> Delivery:
        return self.pull_many(1, timeout)[0]

    def pull_many(self, most: int, timeout: float | None) -> list[Delivery]:
        return pull_some(self, self._name, most, timeout)

    @property
    def pullers(self) -> Waiters:
        return self._pullers.waiters

    @property
    def pushers(self) -> Waiters:
        return self._pushers.waiters

    def enter(self, messages: Sequence[Message], taken: list[bool], delay: float, last: bool = False) -> None:
        if self._refusing:
            raise self._closed_error()
        taken += self._file.run(partial(self._transitions.enter, messages[len(taken) :], delay, last))
        if len(taken) < len(messages):
            if last:
                raise errors.full(self._name, self._options.capacity)
            self._poller.start()
            raise Empty

    def lease(self, most: int, last: bool = False) -> list[Delivery]:
        if self._closed:
            raise self._closed_error()
        deliveries = self._file.run(partial(self._transitions.lease, most, self))
        if not deliveries:
            if not last:
                self._poller.start()
            raise Empty
        return deliveries

    def ack(self, delivery: Delivery) -> None:
        if self._file.run(partial(self._transitions.ack, (delivery,), self)):
            raise errors.lost(self._name, self._options.lease, delivery.receipt)

    def ack_many(self, deliveries: Iterable[Delivery]) -> None:
        deliveries = list(deliveries)
        if lost := self._file.run(partial(self._transitions.ack, deliveries, self)):
            raise errors.some_lost(
                len(lost), len(deliveries), errors.lost(self._name, self._options.lease, lost[0].receipt)
            )

    def nack(self, delivery: Delivery, error: str, trace: str, delay: float | None) -> None:
        self._file.run(partial(self._transitions.nack, delivery, error, trace, delay))

    def release(self, delivery: Delivery) -> None:
        self._file.run(partial(self._transitions.release, delivery))

    def reject(self, delivery: Delivery, reason: str) -> None:
        self._file.run(partial(self._transitions.reject, delivery, reason))

    def extend(self, delivery: Delivery, seconds: float) -> None:
        self._file.run(partial(self._transitions.extend, delivery, seconds))

    def dead_letters(self) -> list[DeadLetter]:
        return self._file.read(self._rows.dead_letters)

    def oldest_dead(self, most: int, shown: int) -> list[Excerpt]:
        return self._file.read(partial(self._rows.oldest_dead, most, shown))

    def newest_dead(self, most: int, shown: int) -> list[Excerpt]:
        return self._file.read(partial(self._rows.newest_dead, most, shown))

    def redrive(self, ids: Iterable[str] | None, limit: int | None) -> int:
        if self._refusing:
            raise self._closed_error()
        chosen = None if ids is None else list(ids)  # the work may run more than once
        return self._file.run(partial(self._transitions.redrive, chosen, limit))

    def purge(self) -> int:
        return self._file.run(self._transitions.purge)

    def stats(self) -> QueueStats:
        return self._file.read(self._counts.stats)

    def oldest(self) -> float | None:
        return self._file.read(self._rows.oldest)

    def check(self) -> None:
        self._file.read(self._rows.check)

    def refuse(self) -> None:
        self._refusing = True
        self._pushers.wake_all()

    def close(self) -> None:
        self.refuse()
        self._closed = True
        self._pullers.wake_all()
        self._alarm.cancel()

    def _closed_error(self) -> QueueClosed:
        return errors.closed(self._name, draining=not self._closed)

    # Waking waiters and moving on what fell due

    def _on_change(self) -> None:
        """Wake the waiters of this process that can go on. Called after a commit, with the lock of the file held."""
        self._pullers.wake(self._counts.states[READY])
        self._pushers.wake(self._counts.room)
        self._set_alarm()

    def _set_alarm(self) -> None:
        if self._counts.due < self._alarm_at and not self._closed:
            self._alarm_at = self._counts.due
            self._alarm.set(self._clock.monotonic() + (self._counts.due - micros(self._clock.time())) / 1e6)

    def _catch_up(self) -> None:
        """Move on everything that fell due, and set the alarm for what falls due next. The alarm calls this."""
        self._alarm_at = MAX_TIME
        try:
            self._file.run(self._transitions.catch_up)
            self._set_alarm()
        except BrokerError:
            if not self._closed:
                log.warning(
                    "queue %s: what is due could not be moved on; it is tried again",
                    self._name,
                    exc_info=True,
                    extra={"queue": self._name},
                )
                self._alarm.set(self._clock.monotonic() + _RETRY_AFTER)

    def _refresh(self) -> None:
        """Read the counts that another process may have changed, and move on what it has left to fall due."""
        self._file.read(self._counts.load)
        if self._counts.due <= micros(self._clock.time()):
            self._catch_up()

    def _count_ready(self) -> int:
        self._refresh()
        return self._counts.states[READY]

    def _count_room(self) -> int:
        self._refresh()
        return self._counts.room
