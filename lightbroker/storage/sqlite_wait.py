"""Waiting for what may come from this process or from another one.

SQLite tells no process that another has written. Threads of this process wake each other at once; for what others
write, one thread looks at the file, every millisecond at first and every 20 while nothing happens, and only as long as
somebody waits. There is no lock that an interrupted thread could leave locked.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from lightbroker.errors import BrokerError

_LOOK = 0.001, 0.02  # seconds between two looks: after a change, and at most


class Lookout:
    """The thread of a store that looks on behalf of all who wait; it sleeps while nobody does."""

    def __init__(self) -> None:
        self.gates: list[Gate] = []
        self._asleep = False
        self._closed = False
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
            if not any(gate.waiting for gate in self.gates):
                self._wake.get()
            self._asleep = False
            time.sleep(pause)
            found = False
            for gate in self.gates:
                if gate.waiting:
                    with suppress(BrokerError):  # the waiter will meet it too, and can raise it
                        found |= gate.look()
            pause = _LOOK[0] if found else min(1.5 * pause, longest)


class Gate:
    """Where the threads of one queue wait for a change; `version` counts the changes, so that none is missed.

    count: how many threads can go on now, by what the file says.
    """

    def __init__(self, lookout: Lookout, count: Callable[[], int]) -> None:
        self._lookout = lookout
        self._count = count
        self._tokens: SimpleQueue[None] = SimpleQueue()
        self.waiting: dict[int, None] = {}  #: by thread
        self.version = 0
        lookout.gates.append(self)

    def open(self, threads: int) -> None:
        """Let so many of those who wait try again. A token too many only costs a try."""
        self.version += 1  # before the look at who waits, as `wait` registers first and then looks at the version
        for _ in range(min(threads, len(self.waiting) - self._tokens.qsize())):
            self._tokens.put(None)

    def look(self) -> bool:
        """Open for those who can go on; whether there are any."""
        threads = self._count()
        if threads:
            self.open(threads)
        return threads > 0

    def wait(self, seen: int, until: float | None) -> bool:
        """Wait for a change after version `seen`; False if `until` (time.monotonic() seconds) came first."""
        timeout = None if until is None else until - time.monotonic()
        if timeout is not None and timeout <= 0.0:
            return False
        me = threading.get_ident()
        try:
            self.waiting[me] = None
            self._lookout.begin()
            if self.version == seen:
                self._tokens.get(timeout=timeout)
        except Empty:
            return False
        finally:
            self.waiting.pop(me, None)
        return True
