"""Waiting for a message or for room, which may come from this process or from another.

Threads of one process wake each other at once. SQLite does not tell a process that another has written, so a thread
polls the file for what other processes do: after a millisecond at first, and up to every 20 ms while nothing happens.
It does so only while a thread waits, for all queues and waiting threads of the store.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue

from lightbroker.core.errors import BrokerError
from lightbroker.core.waiting import Waiters, wake

_INTERVAL = 0.001, 0.02  # seconds between two polls: after a change, and at most


class WaitList:
    """The waiters of one queue that wait for the same thing: for a message, or for room.

    Args:
        count: Reads the file and returns how many waiters can go on.
    """

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self.waiters: Waiters = deque()

    def wake(self, most: int) -> None:
        """Let up to `most` waiters try again."""
        if self.waiters:
            wake(self.waiters, most)

    def wake_all(self) -> None:
        """Let every waiter try again."""
        self.wake(len(self.waiters))

    def poll(self) -> bool:
        """Wake the waiters that can go on; return whether there are any."""
        able = self._count() if self.waiters else 0
        self.wake(able)
        return able > 0


class FilePoller:
    """The thread that polls the file for all queues of a store."""

    def __init__(self) -> None:
        self.wait_lists: list[WaitList] = []
        self._asleep = self._closed = False
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Poll until no thread waits. Call it after a waiter has found nothing and is in its list."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="lightbroker-sqlite", daemon=True)
            self._thread.start()
        if self._asleep:
            self._wake.put(None)

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._wake.put(None)

    def _run(self) -> None:
        pause, longest = _INTERVAL
        while not self._closed:
            # Set before the lists are read, so that a waiter which comes too late to be seen wakes this thread.
            self._asleep = True
            if not any(wait_list.waiters for wait_list in self.wait_lists):
                self._wake.get()
            self._asleep = False
            time.sleep(pause)
            found = False
            for wait_list in self.wait_lists:
                with suppress(BrokerError):  # the waiter meets the same error when it tries again, and can raise it
                    found |= wait_list.poll()
            pause = _INTERVAL[0] if found else min(1.5 * pause, longest)
