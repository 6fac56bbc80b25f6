"""What consumers do with a message before they settle it. A handler that raises makes the message fail."""

import time
from collections.abc import Callable

from lightbroker.lab.measure.audit import number

Handler = Callable[[bytes], object]


class Failed(Exception):
    """What a failing handler raises."""


def no_op(body: bytes) -> None:
    """Nothing: what remains is the system."""


def sleeping(seconds: float) -> Handler:
    """Wait, as for a database or another service; the GIL is free meanwhile."""

    def handle(body: bytes) -> None:
        time.sleep(seconds)

    return handle


def computing(seconds: float) -> Handler:
    """Use that much CPU time of the own thread, whoever else runs: a busy wait by the wall clock would need less, the
    more threads there are.
    """
    nanoseconds, spent = int(seconds * 1e9), time.thread_time_ns

    def handle(body: bytes) -> None:
        until = spent() + nanoseconds
        while spent() < until:
            pass

    return handle


def failing(every: int) -> Handler:
    """Raise Failed the first time that it gets a body whose number divides by `every`."""
    failed: set[bytes] = set()

    def handle(body: bytes) -> None:
        if number(body) % every == 0 and body not in failed:
            failed.add(body)
            raise Failed(f"message {number(body)} fails once")

    return handle


def pausing(period: float, pause: float) -> Handler:
    """Stand still for the first `pause` seconds of every `period`, counted from now: a server that collects garbage."""
    start = time.perf_counter()

    def handle(body: bytes) -> None:
        within = (time.perf_counter() - start) % period
        if within < pause:
            time.sleep(pause - within)

    return handle


#: By name, for a configuration; each takes its time in seconds.
HANDLERS: dict[str, Callable[[float], Handler]] = {
    "none": lambda _: no_op,
    "sleeping": sleeping,
    "computing": computing,
    "failing": lambda _: failing(every=10),
    "pausing": lambda pause: pausing(10 * pause, pause),
}
