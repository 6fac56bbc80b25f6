"""The methods of a queue in an SQLite file: each transition is one transaction, see `file` for what that guarantees.

Here are the waiting for a message or for room, the waking of threads that wait, and the alarm that moves messages on
when time passes.

A time-out covers the wait for a message or for room. A method that changes something, even `pull(timeout=0)`, may also
have to wait for another process that is writing. That usually takes as long as a commit. After a minute it raises
StoreError.
"""

import logging
from collections.abc import Iterable, Sequence
from functools import partial
from queue import Empty

from lightbroker.core import outcome
from lightbroker.core.clock import Clock
from lightbroker.core.errors import BrokerError, PushError
from lightbroker.core.message import DeadLetter, Delivery, Message
from lightbroker.core.policy import Overflow, QueueOptions
from lightbroker.core.store import Excerpt, Note, QueueStats, pull_some, push_all
from lightbroker.core.waiting import Sleepers
from lightbroker.stores.sqlite.file import SqliteFile
from lightbroker.stores.sqlite.rows import QueueRows
from lightbroker.stores.sqlite.schema import MAX_TIME, READY, micros
from lightbroker.stores.sqlite.transitions import Transitions
from lightbroker.stores.sqlite.waiting import FilePoller, WaitList

log = logging.getLogger(__name__)

_AGAIN = 1.0  # seconds until a failed look at what is due is repeated


class SqliteQueue:
    """See `QueueStore` and `Waitable` for what each method promises."""

    def __init__(
        self, file: SqliteFile, poller: FilePoller, name: str, options: QueueOptions, clock: Clock, note: Note | None
    ) -> None:
        self._file, self._poller = file, poller
        self._name, self._options, self._clock = name, options, clock
        self._refusing = self._closed = False
        self._alarm = clock.alarm(self._tick)
        self._rows = QueueRows(file, name, options, self._announce)
        self._pullers, self._pushers = WaitList(self._count_ready), WaitList(self._count_room)
        poller.wait_lists += self._pullers, self._pushers
        self._do = Transitions(name, options, clock, note, file, self._rows)
        self._armed = MAX_TIME  #: what the alarm is set for, if it is
        self._tick()

    def push(self, message: Message, timeout: float | None, delay: float) -> bool:
        return self.push_many((message,), timeout, delay)[0]

    def push_many(self, messages: Sequence[Message], timeout: float | None, delay: float) -> list[bool]:
        return push_all(self, messages, [], timeout, delay, blocks=self._options.overflow is Overflow.BLOCK)

    @property
    def pullers(self) -> Sleepers:
        return self._pullers.waiters

    @property
    def pushers(self) -> Sleepers:
        return self._pushers.waiters

    def enter(self, messages: Sequence[Message], taken: list[bool], delay: float, last: bool = False) -> None:
        if self._refusing:
            raise self._closed_error()
        taken += self._file.run(partial(self._do.enter, messages[len(taken) :], delay, last))
        if len(taken) < len(messages):
            if last:
                raise outcome.full(self._name, self._options.capacity)
            self._poller.start()
            raise Empty

    def lease(self, most: int, last: bool = False) -> list[Delivery]:
        if self._closed:
            raise self._closed_error()
        deliveries = self._file.run(partial(self._do.lease, most, self))
        if not deliveries:
            if not last:
                self._poller.start()
            raise Empty
        return deliveries

    def pull(self, timeout: float | None) -> Delivery:
        return self.pull_many(1, timeout)[0]

    def pull_many(self, most: int, timeout: float | None) -> list[Delivery]:
        try:
            return pull_some(self, most, timeout)
        except Empty:
            raise outcome.empty(self._name, timeout) from None

    def ack(self, delivery: Delivery) -> None:
        if self._file.run(partial(self._do.ack, (delivery,), self)):
            raise outcome.lost(self._name, self._options.lease, delivery)

    def ack_many(self, deliveries: Iterable[Delivery]) -> None:
        deliveries = list(deliveries)
        if lost := self._file.run(partial(self._do.ack, deliveries, self)):
            raise outcome.some_lost(len(lost), len(deliveries), outcome.lost(self._name, self._options.lease, lost[0]))

    def nack(self, delivery: Delivery, error: str, trace: str, delay: float | None) -> None:
        self._file.run(partial(self._do.nack, delivery, error, trace, delay))

    def release(self, delivery: Delivery) -> None:
        self._file.run(partial(self._do.release, delivery))

    def reject(self, delivery: Delivery, reason: str) -> None:
        self._file.run(partial(self._do.reject, delivery, reason))

    def extend(self, delivery: Delivery, seconds: float) -> None:
        self._file.run(partial(self._do.extend, delivery, seconds))

    def dead_letters(self) -> list[DeadLetter]:
        return self._file.read(self._rows.dead_letters)

    def oldest_dead(self, most: int, shown: int) -> list[Excerpt]:
        return self._file.read(partial(self._rows.oldest_dead, most, shown))

    def newest_dead(self, most: int, shown: int) -> list[Excerpt]:
        return self._file.read(partial(self._rows.newest_dead, most, shown))

    def redrive(self, ids: Iterable[str] | None, limit: int | None) -> int:
        if self._refusing:
            raise self._closed_error()
        chosen = None if ids is None else list(ids)
        return self._file.run(partial(self._do.redrive, chosen, limit))

    def purge(self) -> int:
        return self._file.run(self._do.purge)

    def stats(self) -> QueueStats:
        return self._file.read(self._rows.stats)

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

    def _closed_error(self) -> PushError:
        return outcome.closed(self._name, draining=not self._closed)

    # Waking who waits; `_announce` runs with the lock of the file held.

    def _announce(self) -> None:
        self._pullers.wake(self._rows.states[READY])
        self._pushers.wake(max(0, self._rows.room))
        self._arm()

    def _arm(self) -> None:
        if self._rows.due < self._armed and not self._closed:
            self._armed = self._rows.due
            self._alarm.set(self._clock.monotonic() + (self._rows.due - micros(self._clock.time())) / 1e6)

    def _tick(self) -> None:
        self._armed = MAX_TIME
        try:
            self._file.run(self._do.catch_up)
            self._arm()
        except BrokerError:
            if not self._closed:
                log.warning(
                    "queue %s: what is due could not be moved on; it is tried again",
                    self._name,
                    exc_info=True,
                    extra={"queue": self._name},
                )
                self._alarm.set(self._clock.monotonic() + _AGAIN)

    def _look(self) -> None:
        """Deal with what another process has changed, or has left to fall due."""
        self._file.read(self._rows.load)
        if self._rows.due <= micros(self._clock.time()):
            self._tick()

    def _count_ready(self) -> int:
        self._look()
        return self._rows.states[READY]

    def _count_room(self) -> int:
        self._look()
        return max(0, self._rows.room)
