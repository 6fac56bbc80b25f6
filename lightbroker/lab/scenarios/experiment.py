"""Runs in fresh processes, interleaved in seeded random order, with a jitter canary beside them."""

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

from lightbroker.lab.measure.results import Config, Measurement, Run
from lightbroker.lab.measure.stats import percentile

WORKER = "lightbroker.lab.scenarios.worker"  #: the module that measures, in a process of its own

_CANARY_NS = 1_000_000


def schedule(groups: Sequence[Sequence[Config]], repetitions: int, seed: int) -> list[tuple[int, Config]]:
    """The order of the runs: every block holds every group once, and every group its configurations side by side.

    What is compared with each other belongs into one group: it runs within seconds, in an order drawn anew for each
    block, so that the drift of a machine falls on all of them alike.
    """
    rng = random.Random(seed)
    order = []
    for block in range(repetitions):
        for group in rng.sample(groups, len(groups)):
            order += [(block, config) for config in rng.sample(group, len(group))]
    return order


def run(block: int, config: Config, timeout: float = 120.0, root: Path | None = None, worker: str = WORKER) -> Run:
    """Measure one configuration in a process and a temporary folder of its own, for at most `timeout` seconds.

    root: the folder with the package to measure (None: the one that is installed); worker: its module that measures.
    Whatever else the process starts, servers and other processes, ends with it.

    The canary lives in this process, which has nothing else to do: in the worker it would take part in the contest for
    the GIL and measure the system under test instead of the machine.
    """
    with (
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
        tempfile.TemporaryDirectory(prefix="lightbroker-", ignore_cleanup_errors=True) as folder,
    ):
        command = (sys.executable, "-m", worker, json.dumps(config.given()))
        # numpy's thread pool would only stand idle, but on the cores that are being measured.
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
    """Kill the process and the servers that it may have left behind: they are a session of their own."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _watch(process: "subprocess.Popen[bytes]", deadline: float) -> list[float]:
    oversleep = []
    while process.poll() is None and time.monotonic() < deadline:
        start = time.perf_counter_ns()
        time.sleep(_CANARY_NS * 1e-9)
        oversleep.append((time.perf_counter_ns() - start - _CANARY_NS) / 1e3)
    return oversleep
