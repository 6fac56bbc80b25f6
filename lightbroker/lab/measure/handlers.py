"""Handlers: what consumers do with a message before they ack it. A handler that raises makes the message fail."""

import time
from collections.abc import Callable

from lightbroker.lab.measure.audit import number

Handler = Callable[[bytes], object]  #: takes the body of a message


class Failed(Exception):
    """The exception of a handler that fails on purpose."""


def no_op(body: bytes) -> None:
    """Do nothing, so that only the cost of the system under test remains."""


def sleeping(seconds: float) -> Handler:
    """Return a handler that sleeps that many seconds, as one does that waits for a database. It frees the GIL."""

    def handle(body: bytes) -> None:
        time.sleep(seconds)

    return handle


def computing(seconds: float) -> Handler:
    """Return a handler that uses that many seconds of CPU time of its own thread, however many other threads run.

    A busy wait by the wall clock would not do. The more threads share the GIL, the less CPU time it would use.
    """
    nanoseconds, spent = int(seconds * 1e9), time.thread_time_ns

    def handle(body: bytes) -> None:
        until = spent() + nanoseconds
        while spent() < until:
            pass

    return handle


def failing(every: int) -> Handler:
    """Return a handler that raises Failed the first time that it gets a body whose number is a multiple of `every`."""
    failed: set[bytes] = set()

    def handle(body: bytes) -> None:
        if number(body) % every == 0 and body not in failed:
            failed.add(body)
            raise Failed(f"message {number(body)} fails once")

    return handle


def pausing(period: float, pause: float) -> Handler:
    """Return a handler that stands still for the first `pause` seconds of every `period` seconds, counted from now.

    It behaves as a server does that stops to collect garbage: whatever arrives during a pause waits for its end.
    """
    start = time.perf_counter()

    def handle(body: bytes) -> None:
        within = (time.perf_counter() - start) % period
        if within < pause:
            time.sleep(pause - within)

    return handle


#: Makers of handlers by the name that `Config.handler` uses. Each takes `Config.handler_s`, a time in seconds.
HANDLERS: dict[str, Callable[[float], Handler]] = {
    "none": lambda _: no_op,
    "sleeping": sleeping,
    "computing": computing,
    "failing": lambda _: failing(every=10),
    "pausing": lambda pause: pausing(10 * pause, pause),
}
