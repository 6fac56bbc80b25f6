"""Every adversarial test at full scale: `python -m tests.adversary.torture [--only NAME ...] [--quick]`.

Prints a table and keeps counts, machine and date of each test in `torture.json`, beside this file, for each version of
Python; a quick run, which only shows that everything works, keeps nothing. `--table` prints what is kept, as it stands
in `tests/README.md`.
"""

import argparse
import json
import logging
import platform
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from lightbroker.lab.measure import machine
from tests.adversary.crashes import crash_redis, crash_sqlite, malformed, soak
from tests.adversary.interrupts import cancel_storm, interrupt, interrupt_workers
from tests.adversary.models import model_machine, stdlib_oracle, topic_model, total_queue
from tests.adversary.mutations import mutation
from tests.adversary.mutations.patching import Patch
from tests.adversary.schedules import schedule_races

RESULTS = Path(__file__).with_name("torture.json")
COMPARED = "{calls:,} calls compared, {examples:,} examples"
ACCOUNTED = "{messages:,} messages, {deliveries:,} deliveries, {lost} lost, {unexpected} unexpected"
LEAST_CAUGHT = 0.95  # of the patches
VERSION = ".".join(platform.python_version_tuple()[:2])

Report = dict[str, Any]


class Torture(NamedTuple):
    """A test at two scales; `faults` are the parts of its report that must be empty or zero, `told` sums it up."""

    full: Callable[[], Report]
    quick: Callable[[], Report]
    faults: tuple[str, ...]
    told: str


def _mutate(patches: tuple[Patch, ...], suite: tuple[str, ...]) -> Report:
    report = mutation.run(patches, suite=suite)
    return {**report, "too_few": report["caught"] < LEAST_CAUGHT * report["patches"]}


TORTURES: Mapping[str, Torture] = {
    "model": Torture(
        partial(model_machine.run, 10_000, 100),
        partial(model_machine.run, 100, 50),
        (),  # it raises
        COMPARED,
    ),
    "topics": Torture(
        partial(topic_model.run, 10_000, 100),
        partial(topic_model.run, 100, 50),
        (),
        COMPARED,
    ),
    "total_queue": Torture(
        partial(total_queue.run, 10_000_000),
        partial(total_queue.run, 100_000, epoch=50_000),
        ("violations",),
        ACCOUNTED,
    ),
    "total_queue_switching": Torture(
        partial(total_queue.run, 1_000_000, switch_interval=1e-6),
        partial(total_queue.run, 20_000, epoch=10_000, switch_interval=1e-6),
        ("violations",),
        ACCOUNTED,
    ),
    **{
        f"model_{store}": Torture(
            partial(model_machine.run_over, store, 2_000, 100),
            partial(model_machine.run_over, store, 20, 50),
            (),
            COMPARED,
        )
        for store in ("sqlite", "redis")
    },
    **{
        f"total_queue_{store}": Torture(
            partial(total_queue.run_over, store, 1_000_000, epoch=50_000),
            partial(total_queue.run_over, store, 5_000, epoch=5_000),
            ("violations",),
            ACCOUNTED,
        )
        for store in ("sqlite", "redis")
    },
    "total_queue_asyncio": Torture(
        partial(total_queue.run_through_a_loop, 500_000, epoch=50_000),
        partial(total_queue.run_through_a_loop, 10_000, epoch=5_000),
        ("violations",),
        ACCOUNTED,
    ),
    "cancel_storm": Torture(
        partial(cancel_storm.run, 100_000),
        partial(cancel_storm.run, 3_000),
        cancel_storm.FAULTS,
        "{cancelled:,} cancellations, {messages:,} messages, {lost} lost, {duplicated} duplicated, {stuck} stuck",
    ),
    **{
        f"cancel_storm_{store}": Torture(
            partial(cancel_storm.run_over, store, 10_000, each=100),
            partial(cancel_storm.run_over, store, 300, each=100),
            cancel_storm.FAULTS,
            "{cancelled:,} cancellations, {messages:,} messages, {lost} lost, {duplicated} duplicated, {stuck} stuck",
        )
        for store in ("sqlite", "redis")
    },
    "schedule": Torture(
        partial(schedule_races.run, 2, 3_000),
        partial(schedule_races.run, 1, 200),
        ("failures",),
        "{schedules:,} schedules, {failures} failures",
    ),
    "interrupt": Torture(
        partial(interrupt.run, 10_002),
        partial(interrupt.run, 600),
        interrupt.FAULTS,
        "{signals:,} signals in {operations:,} calls, {lost} lost, {leaked} permits leaked",
    ),
    "interrupt_workers": Torture(
        partial(interrupt_workers.run, 5_000),
        partial(interrupt_workers.run, 100),
        interrupt_workers.FAULTS,
        "{exceptions:,} exceptions, {lost} lost",
    ),
    "crash_sqlite": Torture(
        partial(crash_sqlite.run, 1_000),
        partial(crash_sqlite.run, 10),
        ("lost", "returned", "broken"),
        "{kills:,} kills, {pushed:,} pushed, {lost} lost, {returned} delivered after their ack",
    ),
    "malformed": Torture(
        partial(malformed.run, 10_000),
        partial(malformed.run, 500),
        malformed.FAULTS,
        "{requests:,} requests, {threads} threads and {descriptors} descriptors left",
    ),
    "crash_redis": Torture(
        partial(crash_redis.run, 200),
        partial(crash_redis.run, 6),
        ("lost", "returned", "broken", "stalled"),
        "{events:,} outages, {pushed:,} pushed, {lost} lost, {returned} delivered after their ack",
    ),
    "mutation": Torture(
        partial(_mutate, mutation.PATCHES, mutation.FULL),
        partial(_mutate, mutation.PATCHES[::20], mutation.QUICK),
        ("too_few",),
        "{caught} of {patches} patches caught",
    ),
    "stdlib_oracle": Torture(
        stdlib_oracle.run,
        stdlib_oracle.run,
        ("failed",),
        "{passed} cases passed",
    ),
    "soak": Torture(
        partial(soak.run, 600.0, 5_000, 200_000),
        partial(soak.run, 5.0, 5_000, 5_000),
        ("grows", "beyond"),
        "{sent:,} messages in {seconds} s, growing: {grows}, out of bounds: {beyond}",
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


def tell(name: str, result: Report) -> str:
    """The counts of one test in a line; of one that raised, its error."""
    if "error" in result["report"]:
        return str(result["report"]["error"]).strip().rpartition("\n")[2]
    counts = {key: "nothing" if each == [] else each for key, each in result["report"].items()}
    return TORTURES[name].told.format(**counts)


def table(kept: Mapping[str, Report]) -> str:
    """What is kept, in Markdown."""
    lines = ["| test | Python | outcome | counts |", "| --- | --- | --- | --- |"]
    for name in TORTURES:
        for version in sorted(kept, key=lambda version: int(version.partition(".")[2])):
            if name in kept[version]:
                result = kept[version][name]
                outcome = "passed" if result["passed"] else "**failed**"
                lines.append(f"| {name} | {version} | {outcome} | {tell(name, result)} |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Run what `arguments` ask for; 0 if all of it passed."""
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=TORTURES, default=list(TORTURES), metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="small numbers, in a few minutes; keeps nothing")
    parser.add_argument("--table", action="store_true", help="print what is kept, in Markdown, and run nothing")
    options = parser.parse_args(arguments)
    if options.table:
        print(table(json.loads(RESULTS.read_text())))
        return 0
    logging.disable(logging.WARNING)  # queues that are closed with messages left say so, here some thousand times
    passed = True
    for name in options.only:
        result = torment(TORTURES[name], quick=options.quick)
        passed = passed and result["passed"]
        word = "passed" if result["passed"] else "FAILED"
        print(f"{name:22} {word} {result['seconds']:8.1f} s  {tell(name, result)}", flush=True)
        if not options.quick:
            kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            kept.setdefault(VERSION, {})[name] = {**result, "machine": machine.describe()}
            RESULTS.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
