"""Time is injected: leases, delays, backoff and time to live read one clock. With a manual one they are exact and
instant.
"""

import heapq
import itertools
import logging
import math
import threading
import time
import weakref
from collections.abc import Callable
from typing import Protocol

from lightbroker.core.errors import check_number

log = logging.getLogger(__name__)

_NEVER = float("inf")


class Alarm:
    """Calls a bound method at a time that can be moved. It holds the method's object weakly, so it keeps no queue
    alive.
    """

    def __init__(self, agenda: "_Agenda", callback: Callable[[], object]) -> None:
        self._agenda = agenda
        self._callback = weakref.WeakMethod(callback)
        self.when = _NEVER

    def set(self, when: float) -> None:
        """Ring at `when` (monotonic seconds of the clock), unless the alarm is set for an earlier time already."""
        self._agenda.add(self, when)

    def cancel(self) -> None:
        """Forget the time that was set."""
        self._agenda.discard(self)

    def ring(self) -> None:
        """Make the call, if its object still exists."""
        if (callback := self._callback()) is not None:
            callback()


class Clock(Protocol):
    """What the broker asks of time. `monotonic` drives every deadline, `time` only stamps messages."""

    def monotonic(self) -> float:
        """Return seconds that never go back, from an arbitrary start."""

    def time(self) -> float:
        """Return the Unix time in seconds."""

    def alarm(self, callback: Callable[[], object]) -> Alarm:
        """Return an alarm, not yet set, that calls the bound method `callback`."""


class _Agenda:
    """Alarms by time. An alarm that is set earlier leaves its old entry behind; an entry that no longer matches is
    skipped.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()  # entered itself: an interrupt inside `Condition.__enter__` leaves it locked
        self.changed = threading.Condition(self.lock)
        self._heap: list[tuple[float, int, Alarm]] = []
        self._sequence = itertools.count()

    def add(self, alarm: Alarm, when: float) -> None:
        with self.lock:
            if when < alarm.when:
                heapq.heappush(self._heap, (when, next(self._sequence), alarm))
                alarm.when = when  # last: after an interrupt before it, the entry is skipped and can be set again
                self.changed.notify_all()

    def discard(self, alarm: Alarm) -> None:
        with self.lock:
            alarm.when = _NEVER
            self._heap = sorted(entry for entry in self._heap if entry[2] is not alarm)  # which is a heap
            self.changed.notify_all()

    def next_time(self) -> float:
        """Return when the next alarm rings, or infinity. The caller holds `lock`."""
        while self._heap and self._heap[0][2].when != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else _NEVER

    def take(self) -> Alarm:
        """Remove the next alarm and return it. The caller holds `lock` and has called `next_time`."""
        alarm = heapq.heappop(self._heap)[2]
        alarm.when = _NEVER
        return alarm


class SystemClock:
    """The machine's time. One daemon thread rings the alarms; it runs only while an alarm is set."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)

    def __init__(self) -> None:
        self._agenda = _RingingAgenda()

    def alarm(self, callback: Callable[[], object]) -> Alarm:
        """Return an alarm, not yet set, that calls the bound method `callback` in the clock's thread."""
        return Alarm(self._agenda, callback)


class _RingingAgenda(_Agenda):
    _thread: threading.Thread | None = None

    def add(self, alarm: Alarm, when: float) -> None:
        with self.lock:
            super().add(alarm, when)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._ring, name="lightbroker-clock", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError as error:
                    # `start` waits on a condition. An interrupt there can end it with a lock that it did not get back.
                    raise error.__context__ or error from None

    def _ring(self) -> None:
        # Up to CPython 3.12 an interrupt can make `is_alive` deny a thread that lives: a thread that was replaced ends.
        while self._thread is threading.current_thread():
            with self.lock:
                while (wait := self.next_time() - time.monotonic()) > 0:
                    if wait == _NEVER:
                        self._thread = None
                        return
                    self.changed.wait(min(wait, threading.TIMEOUT_MAX))
                alarm = self.take()
            try:
                alarm.ring()
            except Exception:  # for the other alarms time goes on
                log.exception("an alarm failed")


class ManualClock:
    """Time that moves only when told to, for tests and teaching: `advance` rings every alarm that is due, in order.

    The clock counts in nanoseconds. Two times that lie closer together, or that a float cannot tell apart, are one: ten
    steps of 0.1 s reach an alarm that is set for 1 s.

    Args:
        start: Seconds at which both the monotonic and the Unix time begin.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._agenda = _Agenda()
        self._now = check_number("start", start)
        self._nanoseconds = round(self._now * 1e9)

    def monotonic(self) -> float:
        """Return the seconds since zero."""
        return self._now

    def time(self) -> float:
        """Return the same number as `monotonic`, read as Unix time."""
        return self._now

    def alarm(self, callback: Callable[[], object]) -> Alarm:
        """Return an alarm, not yet set, that calls the bound method `callback` from inside `advance`."""
        return Alarm(self._agenda, callback)

    def advance(self, seconds: float) -> None:
        """Move time on. Each alarm on the way sees the time for which it was set.

        Args:
            seconds: By how much.

        Raises:
            ValueError: It is a step back.
        """
        self._nanoseconds += round(check_number("seconds", seconds) * 1e9)
        target = self._nanoseconds / 1e9
        tolerance = max(1e-9, 2 * math.ulp(target))
        while True:
            with self._agenda.lock:
                when = self._agenda.next_time()
                if when > target + tolerance:
                    break
                self._now = max(self._now, when)
                alarm = self._agenda.take()
            alarm.ring()
        self._now = max(self._now, target)
