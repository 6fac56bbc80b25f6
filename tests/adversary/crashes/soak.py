"""Nothing grows: memory, threads and descriptors under a steady load, and memory under consumers that stall.

`python -m tests.adversary.crashes.soak SECONDS RATE [leak]` is the child that carries the load, so that nobody else's
memory is measured. With `leak` it keeps what it handles, and the measurement has to notice.
"""

import gc
import json
import logging
import os
import subprocess
import sys
import threading
import time
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from lightbroker import Broker, Message, Overflow, QueueFull, Retry
from lightbroker.lab.measure.memory import resident

ROOT = Path(__file__).parents[3]
SAMPLES = 200
TURN = 100  # messages to push between two samples at most, or a slow machine sends ever more and samples ever less
WARM_UP = 0.3  # of the time is not looked at
BLOCKS = 10  # neighbouring samples are alike, so a block of them counts as one
T_99 = 3.355  # Student's t for a two-sided interval of 99 % with BLOCKS - 2 degrees of freedom
BODY = b"x" * 1000
CAPACITY = 1000
ARENA = 1 << 20  # bytes that Python's allocator takes at a time: what is resident is known no better
OVERHEAD = 1500  # bytes that a message may take beside its body, wherever it waits


def run(seconds: float, rate: int, pushes: int) -> dict[str, Any]:
    """Carry `rate` messages a second for `seconds`; then push `pushes` to a stalled queue for each policy.

    grows: what has a slope whose interval does not include 0; beyond: policies under which memory left its bound.
    """
    stalls = {policy.value: stall(policy, pushes) for policy in Overflow}
    return {
        **soak(seconds, rate),
        "stalled": stalls,
        "beyond": [name for name, counts in stalls.items() if counts["peak"] > counts["bound"]],
    }


def soak(seconds: float, rate: int, *, leak: bool = False) -> dict[str, Any]:
    """Run the child; see `run`. The slopes are per second: bytes, threads, descriptors."""
    command = (
        sys.executable,
        "-m",
        "tests.adversary.crashes.soak",
        str(seconds),
        str(rate),
        *(("leak",) if leak else ()),
    )
    child = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=3 * seconds + 60)
    report: dict[str, Any] = json.loads(child.stdout)
    report["grows"] = [name for name, (low, high) in report["slopes"].items() if not low <= 0.0 <= high]
    return report


def carry(seconds: float, rate: int, kept: list[Message] | None) -> dict[str, Any]:
    """Push on an open loop while a pool works: some messages fail, some wait, some expire, some are published."""
    tracemalloc.start()
    logging.disable()
    broker = Broker(trace=1000)
    queue = broker.queue("soak", CAPACITY, retry=Retry(3, base=0.01, cap=0.05), lease=1.0, dead_capacity=100)
    broker.subscribe("soak.*", capacity=100)  # and never read

    def handle(message: Message) -> None:
        if kept is not None:
            kept.append(message)
        if message.body.endswith(b"7") and (message.body.endswith(b"77") or message.attempts == 1):
            raise ValueError("no")

    samples = np.zeros((SAMPLES, 5))
    with broker.workers("soak", handle, 2):
        start, sent, taken = time.monotonic(), 0, 0
        while (passed := time.monotonic() - start) < seconds or (1 - WARM_UP) * taken < 2 * BLOCKS:
            for number in range(sent, min(int(passed * rate), sent + TURN)):
                body = b"%s%d" % (BODY, number % 1000)
                queue.push(body, delay=0.02 if number % 50 == 0 else 0.0, ttl=0.01 if number % 20 == 0 else None)
                if number % 10 == 0:
                    broker.publish("soak.head", body)
                sent = number + 1
            if taken < SAMPLES and passed >= taken * seconds / SAMPLES:
                samples[taken] = (
                    passed,
                    resident() or 0,
                    _traced(),
                    threading.active_count(),
                    len(os.listdir("/dev/fd")),
                )
                taken += 1
            time.sleep(0.001)
    broker.check()
    stats = queue.stats()
    broker.close()
    names = ("resident", "traced", "threads", "descriptors")
    steady = samples[int(WARM_UP * taken) : taken]
    return {
        "seconds": round(passed),
        "sent": sent,
        "acked": stats.acked,
        "retried": stats.retried,
        "expired": stats.expired,
        "dead": stats.dead + stats.dropped,
        "last": dict(zip(names, steady[-1, 1:].tolist(), strict=True)),
        "slopes": {
            name: slope(steady[:, 0], steady[:, column], ARENA if name == "resident" else 0)
            for column, name in enumerate(names, 1)
        },
    }


def _traced() -> int:
    gc.collect()  # or the cycles of tracebacks, which come and go, are most of what is seen
    return tracemalloc.get_traced_memory()[0]


def slope(times: Any, values: Any, resolution: float = 0.0) -> tuple[float, float]:
    """The interval of 99 % for the growth of `values` per unit of `times`, least squares over the medians of blocks.

    It is wider by what a step of `resolution` makes of it. At full scale, where an arena is a third of a byte for each
    message, a leak of one byte a message is seen.
    """
    blocks = np.array_split(np.arange(len(times)), BLOCKS)
    x = np.array([np.mean(times[block]) for block in blocks])
    y = np.array([np.median(values[block]) for block in blocks])
    growth, offset = np.polyfit(x, y, 1)
    squares = np.sum((y - growth * x - offset) ** 2) / (BLOCKS - 2)
    margin = T_99 * np.sqrt(squares / np.sum((x - x.mean()) ** 2)) + 1e-9  # the sum of rounding
    margin += resolution / np.ptp(times)
    return float(growth - margin), float(growth + margin)


def stall(policy: Overflow, pushes: int) -> dict[str, Any]:
    """Push to a queue whose consumer took a few and stalls; the peak of traced memory in bytes, and its bound."""
    broker = Broker()
    queue = broker.queue("stalled", CAPACITY, policy, lease=60.0, dead_capacity=CAPACITY)
    running = tracemalloc.is_tracing()
    if not running:
        tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        held = []
        for number in range(pushes):
            with suppress(QueueFull):
                queue.push(b"%s%d" % (BODY, number), timeout=0.0)
            if number < 10:
                held.append(queue.pull(0))
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        if not running:
            tracemalloc.stop()
    broker.check()
    stats = queue.stats()
    broker.close(drain=False)
    places = CAPACITY * (2 if policy is Overflow.DEAD_LETTER else 1)
    return {"held": stats.held, "dead": stats.dead, "peak": peak, "bound": places * (len(BODY) + OVERHEAD)}


if __name__ == "__main__":
    print(json.dumps(carry(float(sys.argv[1]), int(sys.argv[2]), [] if "leak" in sys.argv else None)))
