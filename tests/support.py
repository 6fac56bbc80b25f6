"""What tests of queues, threads and servers share."""

import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NoReturn

import pytest

from lightbroker import Queue

PATIENCE = 5.0  # seconds after which a thread that should have ended is stuck
MOMENT = 0.05  # seconds after which a call that has not returned is taken to be blocked


class Unavailable(Exception):
    """Something cannot be tested here: its server or its library is missing. The text says how to help."""


def miss(error: Unavailable) -> NoReturn:
    """Skip the test for what is missing, or fail it where CI is set."""
    if os.environ.get("CI"):
        pytest.fail(f"{error} (CI is set: nothing may be missing)", pytrace=False)
    pytest.skip(str(error))


def counts(queue: Queue) -> dict[str, int]:
    """Return the numbers of the conservation law and beside it that are not zero."""
    return {name: value for name, value in asdict(queue.stats()).items() if value and name != "capacity"}


def drain(queue: Queue) -> list[str]:
    """Pull and ack what is ready; return the bodies in order."""
    bodies = []
    while queue.stats().ready:
        with queue.pull(timeout=0) as message:
            bodies.append(message.text)
    return bodies


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that other threads bring about; fail if they do not."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, f"{condition} did not come true within {PATIENCE} s"
        time.sleep(0.001)


def program(name: str, package: str) -> str:
    """Return the path of a program. One that is missing skips the test, or fails it where CI is set."""
    path = shutil.which(name)
    if path is None:
        miss(Unavailable(f"{name} is not installed: apt-get install {package}"))
    return path


class Call:
    """A call in a thread of its own."""

    def __init__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._run = function, args, kwargs
        self._thread = threading.Thread(target=self._call, daemon=True)
        self._thread.start()

    def _call(self) -> None:
        function, args, kwargs = self._run
        self._value, self._error = None, None
        try:
            self._value = function(*args, **kwargs)
        except BaseException as error:
            self._error = error

    def blocks(self) -> bool:
        """Whether the call has not returned after a moment: of many parts, as a stall of the machine takes but one."""
        for _ in range(10):
            self._thread.join(MOMENT / 10)
        return self._thread.is_alive()

    def result(self) -> Any:
        """Return or raise what the call did; fail if it is stuck."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), f"{self._run} did not return within {PATIENCE} s"
        if self._error is not None:
            raise self._error
        return self._value
