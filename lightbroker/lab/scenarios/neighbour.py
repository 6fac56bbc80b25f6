"""A neighbour: a thread or a process that computes while the broker works."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

NEIGHBOURS = ("none", "computing", "yielding", "process")  #: the kinds; `beside` explains them
_SLICE_S = 0.0001  # seconds between two looks at whether to stop

# The program of the process. It ends when its standard input does, so also when the process that started it is killed.
_PROCESS = """
import sys, threading
watch = threading.Thread(target=sys.stdin.read)
watch.start()
while watch.is_alive():
    pass
"""


@contextmanager
def beside(kind: str) -> Iterator[None]:
    """Return a context with a neighbour beside it.

    Args:
        kind: "none"; "computing", a thread that never gives up the GIL by itself; "yielding", a thread that gives it up
            every 0.1 ms; "process", a process that computes.

    Raises:
        ValueError: There is no such kind.
    """
    if kind not in NEIGHBOURS:
        raise ValueError(f"kind must be one of {', '.join(NEIGHBOURS)}, not {kind!r}")
    if kind == "none":
        yield
    elif kind == "process":
        with subprocess.Popen((sys.executable, "-c", _PROCESS), stdin=subprocess.PIPE) as process:
            try:
                yield
            finally:
                process.kill()
    else:
        done = threading.Event()
        thread = threading.Thread(target=_compute, args=(done, kind == "yielding"))
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _compute(done: threading.Event, yields: bool) -> None:
    while not done.is_set():
        until = time.perf_counter() + _SLICE_S
        while time.perf_counter() < until:
            pass
        if yields:
            time.sleep(1e-6)  # after sleep(0), this thread would take the GIL back before any other thread gets it
