"""Waiting for what may come from this process or from another one.

SQLite tells no process that another has written. Threads of this process wake each other at once; for what others
write, one thread looks at the file, every millisecond at first and every 20 while nothing happens, and only as long as
somebody waits.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from lightbroker.errors import StoreError

_LOOK = 0.001, 0.02  # seconds between two looks: after a change, and at most
_LINGER = 1.0  # seconds for which the thread outlives the last waiter


class Lookout:
    """The thread of a store that looks on behalf of all who wait."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._looks: dict[Callable[[], bool], int] = {}
        self._thread: threading.Thread | None = None

    def enter(self, look: Callable[[], bool]) -> None:
        """Call `look` from time to time, until `leave`; it says whether it found something."""
        with self._changed:
            self._looks[look] = self._looks.get(look, 0) + 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="lightbroker-lookout", daemon=True)
                self._thread.start()
            self._changed.notify()

    def leave(self, look: Callable[[], bool]) -> None:
        """One waiter less."""
        with self._changed:
            self._looks[look] -= 1
            if not self._looks[look]:
                del self._looks[look]

    def _run(self) -> None:
        pause, longest = _LOOK
        while True:
            time.sleep(pause)
            with self._changed:
                if not self._looks and not self._changed.wait_for(lambda: self._looks, _LINGER):
                    self._thread = None
                    return
                looks = list(self._looks)
            found = False
            for look in looks:
                with suppress(StoreError):  # the waiter will meet it too, and can raise it
                    found |= look()
            pause = _LOOK[0] if found else min(1.5 * pause, longest)


class Gate:
    """Where the threads of one queue wait for a change; `version` counts the changes, so that none is missed."""

    def __init__(self, lookout: Lookout, look: Callable[[], bool]) -> None:
        self._lookout = lookout
        self._look = look
        self._changed = threading.Condition()
        self._waiting = 0
        self.version = 0

    def open(self, threads: int) -> None:
        """Let so many of those who wait try again; a thread that opens is kept from others by the store."""
        self.version += 1  # before the look at who waits, as `wait` first counts itself and then looks at the version
        if self._waiting:
            with self._changed:
                self._changed.notify(threads)

    def wait(self, seen: int, until: float | None) -> bool:
        """Wait for a change after version `seen`; False if `until` (time.monotonic() seconds) came first."""
        timeout = None if until is None else until - time.monotonic()
        if timeout is not None and timeout <= 0.0:
            return False
        self._lookout.enter(self._look)
        try:
            with self._changed:
                self._waiting += 1
                try:
                    return self.version != seen or self._changed.wait(timeout)
                finally:
                    self._waiting -= 1
        finally:
            self._lookout.leave(self._look)
