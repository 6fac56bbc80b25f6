"""Runs in fresh processes, in seeded random order, with a canary beside them that measures the machine's noise.

The canary sleeps 1 ms at a time and notes by how much it wakes too late.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from lightbroker.lab.measure.results import Config, Measurement, Run
from lightbroker.lab.measure.stats import percentile

WORKER = "lightbroker.lab.scenarios.worker"  #: the module that measures, in a process of its own

_CANARY_NS = 1_000_000  # nanoseconds that the canary means to sleep

T = TypeVar("T")


def schedule(groups: Sequence[Sequence[T]], repetitions: int, seed: int) -> list[tuple[int, T]]:
    """Return the order of the runs: every block runs each group once, and each group without a break.

    Configurations that are compared with each other belong in one group. They run right after each other, in a new
    random order in each block, so that a machine that becomes slower or faster affects all of them alike.

    Args:
        groups: The configurations of each group.
        repetitions: The number of blocks.
        seed: Seed of the order; the same seed gives the same order.

    Returns:
        The number of the block, from 0 on, and the configuration of each run.
    """
    rng = random.Random(seed)
    order = []
    for block in range(repetitions):
        for group in rng.sample(groups, len(groups)):
            order += [(block, config) for config in rng.sample(group, len(group))]
    return order


def run(block: int, config: Config, timeout: float = 120.0, root: Path | None = None, worker: str = WORKER) -> Run:
    """Measure one configuration in a process of its own, with a temporary folder of its own.

    Servers and other processes that it starts end with it.

    The canary runs in this process, which only waits. In the worker it would compete for the GIL, and so measure the
    system under test instead of the machine.

    Args:
        block: The block that the run belongs to.
        config: What to measure.
        timeout: Seconds after which the process is killed.
        root: The folder with the package to measure; None is the one that is installed.
        worker: The module of that package that measures.

    Returns:
        The run, with an error instead of a measurement if the process failed or did not end in time.
    """
    with (
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
        tempfile.TemporaryDirectory(prefix="lightbroker-", ignore_cleanup_errors=True) as folder,
    ):
        command = (sys.executable, "-m", worker, json.dumps(config.given()))
        # numpy would start a pool of threads that nothing here uses, on the cores that are being measured.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "TMPDIR": folder}
        process = subprocess.Popen(command, stdout=out, stderr=err, env=environment, cwd=root, start_new_session=True)
        try:
            oversleep = _watch(process, time.monotonic() + timeout)
        finally:
            timed_out = process.poll() is None
            _kill(process)
        canary = {
            "p50_us": percentile(oversleep, 50),
            "p99_us": percentile(oversleep, 99),
            "max_us": max(oversleep, default=None),
            "samples": float(len(oversleep)),
        }
        out.seek(0)
        err.seek(0)
        if timed_out:
            return Run(block, config, None, f"it did not end within {timeout:g} s", canary)
        if process.returncode:
            return Run(block, config, None, err.read()[-2000:] or f"exit code {process.returncode}", canary)
        return Run(block, config, Measurement.from_dict(json.load(out)), None, canary)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill the process and the servers that it may have left behind, which are in its session."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _watch(process: "subprocess.Popen[bytes]", deadline: float) -> list[float]:
    """Run the canary until the process ends or the deadline passes; return by how many µs each sleep was late."""
    oversleep = []
    while process.poll() is None and time.monotonic() < deadline:
        start = time.perf_counter_ns()
        time.sleep(_CANARY_NS * 1e-9)
        oversleep.append((time.perf_counter_ns() - start - _CANARY_NS) / 1e3)
    return oversleep
