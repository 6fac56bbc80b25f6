"""Cooperative twins of what blocks a thread in C: each call is one step here as well, unless it has to wait."""

import importlib
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from queue import Empty
from types import SimpleNamespace
from typing import Any
from unittest import mock

from tests.adversary.schedules.schedule_run import CORE, Run, monitoring


class _Queue:
    """A `SimpleQueue` that waits in the scheduler. Who is woken up to Python 3.12 has to be quick to get the item."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque()

    def put(self, item: Any, block: Any = True, timeout: Any = None) -> None:
        self._items.append(item)

    def get(self, block: Any = True, timeout: float | None = None) -> Any:
        if not self._items and (not block or Run.active is None or not Run.active.wait(self._items.__len__, timeout)):
            raise Empty
        return self._items.popleft()

    def get_nowait(self) -> Any:
        return self.get(False)

    def qsize(self) -> int:
        return len(self._items)


class _HandingQueue(_Queue):
    """The same since Python 3.13: an item put while threads wait is given to the first of them, and to nobody else."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[list[Any]] = deque()

    def put(self, item: Any, block: Any = True, timeout: Any = None) -> None:
        if self._waiting:
            self._waiting.popleft().append(item)
        else:
            super().put(item)

    def get(self, block: Any = True, timeout: float | None = None) -> Any:
        if self._items or not block or Run.active is None:
            return super().get(False)
        given: list[Any] = []
        self._waiting.append(given)
        if not Run.active.wait(given.__len__, timeout):
            self._waiting = deque(other for other in self._waiting if other is not given)
            raise Empty
        return given[0]


class _Sleep:
    """The lock of a thread that waits with a time-out. When that ends the wait, its time has passed for everyone."""

    def __init__(self) -> None:
        self._free = True

    def acquire(self, timeout: float = -1.0) -> bool:
        run = Run.active
        if not self._free and run is not None and not run.wait(lambda: self._free, True):
            run.seconds += timeout
            return False
        self._free = False
        return True

    def release(self) -> None:
        self._free = True


def _seconds() -> float:
    return 0.0 if Run.active is None else Run.active.seconds


class _Lock:
    """A lock that anyone may release."""

    def __init__(self) -> None:
        self._held = False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        run = Run.active
        wait = None if timeout < 0 else timeout
        if self._held and (not blocking or run is None or not run.wait(lambda: not self._held, wait)):
            return False
        self._held = True
        return True

    def release(self) -> None:
        self._held = False

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class _RLock:
    """A reentrant lock, also as the condition of an agenda that nobody waits on."""

    def __init__(self) -> None:
        self._owner: object = None
        self._depth = 0

    def __enter__(self) -> bool:
        run = Run.active
        me = run.current if run is not None else self
        if run is not None and self._owner not in (None, me):
            run.wait(lambda: self._owner is None)
        self._owner = me
        self._depth += 1
        return True

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._owner = None

    def notify_all(self) -> None:
        pass


def _condition(lock: _RLock | None = None) -> _RLock:
    return lock or _RLock()


def _monotonic() -> float:
    return Run.active.passed if Run.active is not None else 0.0


@contextmanager
def cooperative(hands: bool = sys.version_info >= (3, 13)) -> Iterator[None]:
    """Inside, whatever the core makes that could block a thread blocks in the scheduler instead.

    hands: whether its queues give an item to who waits, as Python does since 3.13, or let others take it.
    """
    queue = _HandingQueue if hands else _Queue
    # The rest of both modules stays, because a clock's thread that an earlier test has left may wake up meanwhile.
    locks = SimpleNamespace(**{**vars(threading), "Lock": _Lock, "RLock": _RLock, "Condition": _condition})
    times = SimpleNamespace(**{**vars(time), "monotonic": _monotonic})
    with ExitStack() as patches:
        patches.enter_context(monitoring())
        for name in CORE:
            module = importlib.import_module(f"lightbroker.core.{name}")
            for attribute, twin in (("threading", locks), ("time", times), ("SimpleQueue", queue)):
                if hasattr(module, attribute):
                    patches.enter_context(mock.patch.object(module, attribute, twin))
        yield
