"""Exceptions thrown into worker threads at any moment, as debuggers and time-out libraries do.

What `WorkerPool` promises is checked: every message is handled, what was under way is delivered again, and a thread
that was ended is replaced.

`python -m tests.adversary.interrupts.interrupt_workers EXCEPTIONS SEED` is the child: throwing exceptions into threads
may hit the standard library too, and must not do so in the process of the tests.
"""

import ctypes
import json
import os
import random
import subprocess
import sys
import threading
import time
from itertools import count
from pathlib import Path
from typing import Any

from lightbroker import Broker, InvariantError, Message, Retry

ROOT = Path(__file__).parents[3]
WORKERS = 4
LEASE = 0.15  # seconds; a third of it is the heartbeat
PATIENCE = 60.0  # seconds
AHEAD = 200  # messages that wait to be handled
FAULTS = ("lost", "left", "unacked", "broken_laws", "missing_workers")


class Thrown(BaseException):
    """Comes from outside."""


def run(exceptions: int, *, seed: int = 1) -> dict[str, Any]:
    """Throw `exceptions` into the workers of one pool and count.

    lost: accepted, but in the end neither acked nor handled; left: not settled in the end; missing_workers: that many
    threads too few after the last heartbeat; died: threads that an exception ended; retried: deliveries that failed.
    """
    command = (sys.executable, "-m", "tests.adversary.interrupts.interrupt_workers", str(exceptions), str(seed))
    child = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=10 * PATIENCE)
    counts: dict[str, Any] = json.loads(child.stdout)
    return counts


def _throw(thread: threading.Thread) -> bool:
    ident = thread.ident
    if ident is None or not thread.is_alive():
        return False
    set_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc
    return bool(set_exception(ctypes.c_ulong(ident), ctypes.py_object(Thrown)))


def torment(exceptions: int, seed: int) -> dict[str, int]:
    """Keep a pool busy, throw into its threads, and account for every message when it has caught up."""
    rng = random.Random(seed)
    broker = Broker()
    queue = broker.queue("work", None, lease=LEASE, retry=Retry(1_000_000, base=0.001, cap=0.001))
    handled: set[bytes] = set()
    died: count[int] = count()
    threading.excepthook = lambda _: next(died) and None

    def handle(message: Message) -> None:
        for _ in range(rng.randrange(5000)):
            pass
        handled.add(message.body)

    pool = broker.workers("work", handle, WORKERS)
    thrown = pushed = 0
    while thrown < exceptions:
        if queue.stats().ready < AHEAD:
            queue.push_many([b"%d" % number for number in range(pushed, pushed + AHEAD)])
            pushed += AHEAD
        thrown += _throw(rng.choice(pool._threads))
        time.sleep(rng.uniform(0.0, 0.002))
    until = time.monotonic() + PATIENCE
    while (queue.stats().held or _living(pool._threads) < WORKERS) and time.monotonic() < until:
        time.sleep(LEASE / 3)
    stats = queue.stats()
    try:
        broker.check()
        broken = 0
    except InvariantError:
        broken = 1
    return {
        "exceptions": thrown,
        "accepted": stats.accepted,
        "lost": pushed - len(handled),
        "left": stats.held,
        "unacked": stats.accepted - stats.acked,
        "broken_laws": broken,
        "missing_workers": WORKERS - _living(pool._threads),
        "died": next(died),
        "retried": stats.retried,
    }


def _living(threads: list[threading.Thread]) -> int:
    return sum(thread.is_alive() for thread in threads)


if __name__ == "__main__":
    print(json.dumps(torment(int(sys.argv[1]), int(sys.argv[2]))), flush=True)
    os._exit(0)  # a thread that was hit in the middle of nowhere need not be waited for
