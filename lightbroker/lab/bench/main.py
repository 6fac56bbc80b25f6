"""`lightbroker bench`: measures one of the studies, prints its tables and writes its JSON file."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn

from lightbroker.lab.bench import report
from lightbroker.lab.bench.studies import event_loops, memory, memory_plan, peers, storage
from lightbroker.lab.bench.study import Study
from lightbroker.lab.measure import machine
from lightbroker.lab.measure.results import Bench, Config, Run
from lightbroker.lab.scenarios import experiment

#: The studies beside that of the memory store: option, plan, help.
_OTHERS = (
    (
        "--peers",
        peers.study,
        "one message at a time through everything that is installed here: queues, task queues, brokers",
    ),
    (
        "--storage",
        storage.study,
        "the stores, one message at a time and in batches, in one process and in four, beside their peers",
    ),
    (
        "--async",
        event_loops.study,
        "in an event loop, and between one and a thread, beside asyncio.Queue, janus and culsans",
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the tables and write the JSON file.

    Args:
        argv: The options (None: those of the process).

    Returns:
        The exit code: 0 if every run came to an end and delivered every message once, however slow it was, and 1
        otherwise.
    """
    options, study = _parse(argv)
    repetitions = options.repetitions or study.repetitions
    order = experiment.schedule(study.chosen(options.only or study.choices), repetitions, options.seed)
    console = report.terminal()
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


def _measure(console: Console, order: Sequence[tuple[int, Config]]) -> list[Run]:
    runs = []
    with report.progress(console, MofNCompleteColumn()) as progress:
        task = progress.add_task("", total=len(order))
        for block, config in order:
            progress.update(task, description=f"{config.scenario} {config.system}", refresh=True)
            runs.append(experiment.run(block, config))
            progress.advance(task)
    return runs


def _parse(argv: Sequence[str] | None) -> tuple[argparse.Namespace, Study]:
    """Return the options and the study that they choose; exit with a message if they make no sense."""
    parser = argparse.ArgumentParser(
        prog="lightbroker bench",
        description="Measure LightBroker in memory against queue.Queue, queue.SimpleQueue and asyncio.Queue; with "
        "--peers, --storage or --async against others. The full scale takes about 18, 5, 8 and 3 minutes on two cores; "
        "leave the machine alone meanwhile. Speed never changes the exit code: it is 1 only if a run failed, lost a "
        "message or delivered one twice.",
    )
    which = parser.add_mutually_exclusive_group()
    for option, plan, help in _OTHERS:
        which.add_argument(option, dest="study", action="store_const", const=plan, help=help)
    parser.add_argument(
        "--quick", action="store_true", help="one or two minutes: fewer, shorter runs; not the committed scale"
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
        help=f"measure only these scenarios: {', '.join(memory_plan.SCENARIOS)}; with --storage process, processes, "
        "depth; with --peers the names of peers",
    )
    parser.set_defaults(study=memory.study)
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
