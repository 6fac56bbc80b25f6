"""Every adversarial test at full scale: `python -m tests.adversary.torture [--only NAME ...] [--quick]`.

Prints a table and keeps counts, machine and date of each test in `torture.json`, beside this file; a quick run, which
only shows that everything works, keeps nothing.
"""

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from lightbroker.lab import machine
from tests.adversary import (
    crash_redis,
    crash_sqlite,
    interrupt,
    interrupt_workers,
    model_machine,
    mutation,
    schedule_races,
    soak,
    stdlib_oracle,
    total_queue,
)

RESULTS = Path(__file__).with_name("torture.json")
LEAST_CAUGHT = 0.95  # of the patches

Report = dict[str, Any]


class Torture(NamedTuple):
    """A test at two scales; `faults` are the parts of its report that must be empty or zero."""

    full: Callable[[], Report]
    quick: Callable[[], Report]
    faults: tuple[str, ...]


def _mutate(patches: tuple[mutation.Patch, ...], suite: tuple[str, ...]) -> Report:
    report = mutation.run(patches, suite=suite)
    return {**report, "too_few": report["caught"] < LEAST_CAUGHT * report["patches"]}


TORTURES: Mapping[str, Torture] = {
    "model": Torture(
        partial(model_machine.run, 10_000, 100),
        partial(model_machine.run, 100, 50),
        (),  # it raises
    ),
    "total_queue": Torture(
        partial(total_queue.run, 10_000_000),
        partial(total_queue.run, 100_000, epoch=50_000),
        ("violations",),
    ),
    "total_queue_switching": Torture(
        partial(total_queue.run, 1_000_000, switch_interval=1e-6),
        partial(total_queue.run, 20_000, epoch=10_000, switch_interval=1e-6),
        ("violations",),
    ),
    **{
        f"model_{store}": Torture(
            partial(model_machine.run_over, store, 2_000, 100),
            partial(model_machine.run_over, store, 20, 50),
            (),
        )
        for store in ("sqlite", "redis")
    },
    **{
        f"total_queue_{store}": Torture(
            partial(total_queue.run_over, store, 1_000_000, epoch=50_000),
            partial(total_queue.run_over, store, 5_000, epoch=5_000),
            ("violations",),
        )
        for store in ("sqlite", "redis")
    },
    "schedule": Torture(
        partial(schedule_races.run, 2),
        partial(schedule_races.run, 1, 200),
        ("failures",),
    ),
    "interrupt": Torture(
        partial(interrupt.run, 10_000),
        partial(interrupt.run, 600),
        interrupt.FAULTS,
    ),
    "interrupt_workers": Torture(
        partial(interrupt_workers.run, 5_000),
        partial(interrupt_workers.run, 100),
        interrupt_workers.FAULTS,
    ),
    "crash_sqlite": Torture(
        partial(crash_sqlite.run, 1_000),
        partial(crash_sqlite.run, 10),
        ("lost", "returned", "broken"),
    ),
    "crash_redis": Torture(
        partial(crash_redis.run, 200),
        partial(crash_redis.run, 6),
        ("lost", "returned", "broken", "stalled"),
    ),
    "mutation": Torture(
        partial(_mutate, mutation.PATCHES, mutation.FULL),
        partial(_mutate, mutation.PATCHES[::20], mutation.QUICK),
        ("too_few",),
    ),
    "stdlib_oracle": Torture(
        stdlib_oracle.run,
        stdlib_oracle.run,
        ("failed",),
    ),
    "soak": Torture(
        partial(soak.run, 600.0, 5_000, 200_000),
        partial(soak.run, 5.0, 5_000, 5_000),
        ("grows", "beyond"),
    ),
}


def torment(torture: Torture, *, quick: bool) -> Report:
    """Run one test; its report, whether it passed, and how many seconds it took."""
    started = time.monotonic()
    try:
        report = torture.quick() if quick else torture.full()
        passed = not any(report[fault] for fault in torture.faults)
    except Exception:  # the others shall run all the same
        report, passed = {"error": traceback.format_exc()}, False
    return {"passed": passed, "seconds": round(time.monotonic() - started, 1), "report": report}


def row(name: str, result: Report) -> str:
    """A line of the table: what can be said in one number each."""
    told = result["report"].get("error", "").strip().rpartition("\n")[2] or ", ".join(
        f"{key} {len(value) if isinstance(value, (dict, list)) else value:,}"
        for key, value in result["report"].items()
        if isinstance(value, (dict, list, int, float))
    )
    return f"{name:22} {'passed' if result['passed'] else 'FAILED'} {result['seconds']:8.1f} s  {told}"


def main(arguments: list[str]) -> int:
    """Run what `arguments` ask for; 0 if all of it passed."""
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=TORTURES, default=list(TORTURES), metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="small numbers, in a few minutes; keeps nothing")
    options = parser.parse_args(arguments)
    passed = True
    for name in options.only:
        result = torment(TORTURES[name], quick=options.quick)
        passed = passed and result["passed"]
        print(row(name, result), flush=True)
        if not options.quick:
            kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            kept[name] = {**result, "machine": machine.describe()}
            RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
