"""`lightbroker bench`: interleaved experiments, LightBroker beside the queues of the standard library and others."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lightbroker.lab.bench import async_study, comparison, plan, report, storage
from lightbroker.lab.bench.bars import judge
from lightbroker.lab.bench.study import Study
from lightbroker.lab.measure import machine
from lightbroker.lab.measure.results import Bench, Config, Run
from lightbroker.lab.scenarios import experiment
from lightbroker.lab.scenarios.catalogue import SYSTEMS

METHOD = [
    "Every run is a process of its own; its warm-up is discarded. Before the clock starts, the collector runs and the "
    "harness's own objects are frozen; what the system allocates is collected as ever.",
    "A block holds every configuration; what is compared runs side by side, in an order drawn anew for each block.",
    "Values are medians over the runs. Ratios are paired within a block; intervals are 95 % bootstrap intervals of the "
    "median (for the bar on the tail: the range of the runs).",
    "The closed loop yields peak throughput only. It sends different numbers of messages through different systems, at "
    "least 100,000, so that every run lasts long enough; the configuration of the run says how many.",
    "The open loop takes latency from the planned time t0 + i/rate and sends late messages late. Senders sleep until "
    "the planned time and never spin, as that would hold the GIL; what they oversleep counts, for every system alike.",
    "An open-loop run is invalid if the median send lag in the last tenth of the plan exceeds 1 % of its duration.",
    "A percentile is given if 100 samples lie beyond it: 10,000 for p99, 100,000 for p99.9.",
    "Each body carries its number; what was lost, duplicated or unknown is counted after the clock has stopped.",
    "The waiting parent sleeps 1 ms at a time and records the oversleep: the noise of the machine beside each run.",
    "A queued message costs the larger of the growth of the resident set and of tracemalloc's count, without the body.",
]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the tables and write the JSON file.

    Returns 0 if every run came to an end and delivered every message once, however slow it was, and 1 otherwise.
    """
    options, study = _parse(argv)
    repetitions = options.repetitions or study.repetitions
    order = experiment.schedule(study.chosen(options.only or study.choices), repetitions, options.seed)
    # A pipe or a file has no width of its own, and the tables need more than the usual 80 columns.
    console = Console(width=None if sys.stdout.isatty() else 120)
    before = machine.describe(study.kinds.values())
    runs = _measure(console, order)
    bench = Bench(
        scale=study.scale,
        seed=options.seed,
        repetitions=repetitions,
        method=list(study.method),
        machine=before,
        promises={name: asdict(kind.promises) for name, kind in study.kinds.items()},
        runs=runs,
        bars=study.judge(runs, options.seed),
        skipped=dict(study.skipped),
    )
    if options.out:
        bench.write(options.out)
    study.show(console, bench)
    if options.out:
        console.print(f"Written to {options.out}")
    return 0 if all(run.sound for run in runs) else 1


def study(quick: bool) -> Study:
    """The memory store beside the queues of the standard library."""
    scale = plan.QUICK if quick else plan.FULL
    return Study(
        scale=scale.name,
        repetitions=scale.repetitions,
        groups=[group for found in plan.groups(scale).values() for group in found],
        only="scenario",
        method=METHOD,
        kinds={name: SYSTEMS[name] for name in scale.systems},
        judge=judge,
        show=report.show,
    )


def _measure(console: Console, order: Sequence[tuple[int, Config]]) -> list[Run]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    runs = []
    # No refresh by a thread: it would run beside the measurement, in the process that holds the canary.
    with Progress(*columns, TimeRemainingColumn(), console=console, auto_refresh=False) as progress:
        task = progress.add_task("", total=len(order))
        for block, config in order:
            progress.update(task, description=f"{config.scenario} {config.system}", refresh=True)
            runs.append(experiment.run(block, config))
            progress.advance(task)
    return runs


def _parse(argv: Sequence[str] | None) -> tuple[argparse.Namespace, Study]:
    parser = argparse.ArgumentParser(
        prog="lightbroker bench",
        description="Measure LightBroker in memory against queue.Queue, queue.SimpleQueue and asyncio.Queue; with "
        "--peers, --storage or --async against others. The full scale takes about 18, 5, 8 and 3 minutes on two cores; "
        "leave the machine alone meanwhile. Speed never changes the exit code: it is 1 only if a run failed, lost a "
        "message or delivered one twice.",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--peers",
        dest="study",
        action="store_const",
        const=comparison.study,
        help="one message at a time through everything that is installed here: queues, task queues, brokers",
    )
    which.add_argument(
        "--storage",
        dest="study",
        action="store_const",
        const=storage.study,
        help="the stores, one message at a time and in batches, in one process and in four, beside their peers",
    )
    which.add_argument(
        "--async",
        dest="study",
        action="store_const",
        const=async_study.study,
        help="in an event loop, and between one and a thread, beside asyncio.Queue, janus and culsans",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one or two minutes: fewer, shorter runs; not the committed scale",
    )
    parser.add_argument(
        "--out", type=Path, metavar="PATH", help="write every run, the machine and the bars to this JSON file"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="of the order of the runs and of the bootstrap (default: 1)"
    )
    parser.add_argument("--repetitions", type=_positive, metavar="N", help="blocks (default: 5; with --quick 3 or 2)")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        help=f"measure only these scenarios: {', '.join(plan.SCENARIOS)}; with --storage process, processes, depth; "
        "with --peers the names of peers",
    )
    parser.set_defaults(study=study)
    options = parser.parse_args(argv)
    chosen: Study = options.study(options.quick)
    for name in options.only or ():
        if name in chosen.skipped:
            parser.error(f"argument --only: {name}: {chosen.skipped[name]}")
        if name not in chosen.choices:
            parser.error(f"argument --only: {name!r} is not one of {', '.join(map(str, chosen.choices))}")
    return options, chosen


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


if __name__ == "__main__":
    sys.exit(main())
