"""Ctrl-C and SIGTERM as a request to stop: the command finishes its current work and then ends."""

import os
import signal
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import FrameType, TracebackType
from typing import Any

_LONGEST_WAIT = 1.0  # seconds; on Windows, Python notices Ctrl-C only between two waits


class Signals:
    """A context manager that handles SIGINT (Ctrl-C) and SIGTERM while its context lasts.

    The first signal requests a stop. A second one ends the process at once, with 128 plus the signal's number as exit
    code. Enter it in the main thread, because Python lets no other thread set signal handlers.

    Attributes:
        requested: Whether a stop was requested.
    """

    def __init__(self) -> None:
        self.requested = False
        # SimpleQueue.put is reentrant, so a signal handler may call it whatever the main thread is doing. Event.set is
        # not: it can deadlock when it interrupts another call on the same event.
        self._wakeups: SimpleQueue[None] = SimpleQueue()
        self._handlers_before: dict[int, Any] = {}

    def wait(self, seconds: float = float("inf")) -> bool:
        """Wait until a stop is requested, at most this number of seconds. Return whether one is requested."""
        until = time.monotonic() + seconds
        while not self.requested and (left := until - time.monotonic()) > 0:
            with suppress(Empty):
                self._wakeups.get(timeout=min(left, _LONGEST_WAIT))
        return self.requested

    def stop(self) -> None:
        """Request a stop. Any thread may call this."""
        self.requested = True
        self._wakeups.put(None)

    def __enter__(self) -> "Signals":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers_before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            os._exit(128 + number)
        self.stop()
