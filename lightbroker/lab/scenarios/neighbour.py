"""A neighbour that computes while the broker works: in a thread beside it, or elsewhere."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

NEIGHBOURS = ("none", "computing", "yielding", "process")
_SLICE_S = 0.0001

# It ends when its standard input does, so also when whoever started it was killed.
_ELSEWHERE = """
import sys, threading
watch = threading.Thread(target=sys.stdin.read)
watch.start()
while watch.is_alive():
    pass
"""


@contextmanager
def beside(kind: str) -> Iterator[None]:
    """Compute until the block is left.

    kind: "none"; "computing", a thread that never gives up the GIL by itself; "yielding", one that gives it up after
    each 0.1 ms; "process", the same work in a process of its own.
    """
    if kind not in NEIGHBOURS:
        raise ValueError(f"kind must be one of {', '.join(NEIGHBOURS)}, not {kind!r}")
    if kind == "none":
        yield
    elif kind == "process":
        with subprocess.Popen((sys.executable, "-c", _ELSEWHERE), stdin=subprocess.PIPE) as process:
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
            time.sleep(1e-6)  # sleep(0) would take the GIL back before anybody else can
