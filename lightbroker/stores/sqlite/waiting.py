"""Waiting for what may come from this process or from another one.

SQLite tells no process that another has written. Threads of this process wake each other at once; for what others
write, one thread looks at the file, every millisecond at first and every 20 while nothing happens, and only as long as
somebody waits.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue

from lightbroker.core.errors import BrokerError
from lightbroker.core.waiting import Sleepers, rouse

_LOOK = 0.001, 0.02  # seconds between two looks: after a change, and at most


class Lookout:
    """The thread of a store that looks on behalf of all who wait; it sleeps while nobody does."""

    def __init__(self) -> None:
        self.gates: list[Gate] = []
        self._asleep = self._closed = False
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Somebody waits at a gate."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="lightbroker-lookout", daemon=True)
            self._thread.start()
        if self._asleep:
            self._wake.put(None)

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._wake.put(None)

    def _run(self) -> None:
        pause, longest = _LOOK
        while not self._closed:
            self._asleep = True  # before the look at who waits, as `begin` comes after the waiter has registered
            if not any(gate.sleepers for gate in self.gates):
                self._wake.get()
            self._asleep = False
            time.sleep(pause)
            found = False
            for gate in self.gates:
                with suppress(BrokerError):  # the waiter will meet it too, and can raise it
                    found |= gate.look()
            pause = _LOOK[0] if found else min(1.5 * pause, longest)


class Gate:
    """Where the threads of one queue wait; `count` tells how many can go on now, by what the file says."""

    def __init__(self, lookout: Lookout, count: Callable[[], int]) -> None:
        self._lookout = lookout
        self._count = count
        self.sleepers: Sleepers = deque()
        lookout.gates.append(self)

    def open(self, threads: int) -> None:
        """Let so many of those who wait try again."""
        if self.sleepers:
            rouse(self.sleepers, threads)

    def look(self) -> bool:
        """Open for those who can go on; whether there are any."""
        threads = self._count() if self.sleepers else 0
        self.open(threads)
        return threads > 0

    def begin(self) -> None:
        """Somebody has hung up here in vain: what other processes write wakes him as well."""
        self._lookout.begin()
