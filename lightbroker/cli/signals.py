"""Ctrl-C and SIGTERM as a wish to stop, which a command grants when it has finished what it is at."""

import os
import signal
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import FrameType, TracebackType
from typing import Any

_LOOK = 1.0  # seconds; on Windows a wait keeps Python from noticing Ctrl-C until it ends


class Signals:
    """While the context lasts, a first signal is noted, and a second one ends the process with 128 and its number.

    For the main thread, the only one that may set what a signal does.
    """

    def __init__(self) -> None:
        self.requested = False
        """Whether to stop."""
        # Its `put` is safe in a signal handler, whatever the interrupted thread was doing; an Event's `set` is not.
        self._inbox: SimpleQueue[None] = SimpleQueue()
        self._before: dict[int, Any] = {}

    def wait(self, seconds: float = float("inf")) -> bool:
        """Wait for a wish to stop, so many seconds at most; whether there is one."""
        until = time.monotonic() + seconds
        while not self.requested and (left := until - time.monotonic()) > 0:
            with suppress(Empty):
                self._inbox.get(timeout=min(left, _LOOK))
        return self.requested

    def stop(self) -> None:
        """Wish to stop, from whatever thread."""
        self.requested = True
        self._inbox.put(None)

    def __enter__(self) -> "Signals":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            os._exit(128 + number)
        self.stop()
