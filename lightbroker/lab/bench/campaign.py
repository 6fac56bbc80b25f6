"""`make experiments`: every experiment in full, with the time that remains, to go on with after an interruption.

Each run is kept as soon as it is made, in a file of parts beside the results. The next start takes up what is there if
it was measured by the same plan, code and machine, and begins anew otherwise. The parts go when everything is done.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lightbroker.lab.bench.bars import Select
from lightbroker.lab.bench.experiments import Experiment, expected_seconds, experiments
from lightbroker.lab.bench.main import METHOD
from lightbroker.lab.measure import machine
from lightbroker.lab.measure.results import Config, Results, Run
from lightbroker.lab.measure.stats import agree, median_interval, noise_floor
from lightbroker.lab.scenarios import experiment

DATA = Path("figures/data")
_SAME = ("cpu", "cores_usable", "kernel", "python", "python_build", "gil", "libraries", "commit")


def measure(
    planned: Experiment,
    *,
    seed: int,
    scale: str = "full",
    folder: Path | None = None,
    progress: Callable[[Config, float], None] = lambda config, seconds: None,
) -> Results:
    """Make the runs of one experiment, or those that an interrupted start has left to do.

    folder: where the parts are kept (None: nowhere, and every run is made); progress: called after each run with its
    configuration and the seconds that it was expected to take.
    """
    order = experiment.schedule(planned.groups, planned.repetitions, seed)
    on = machine.describe()
    parts = None if folder is None else folder / f"{planned.name}.parts.jsonl"
    runs = [] if parts is None else _resume(parts, on, order)
    for done in runs:
        progress(done.config, expected_seconds(done.config))
    for block, config in order[len(runs) :]:
        runs.append(experiment.run(block, config))
        if parts is not None:
            _append(parts, asdict(runs[-1]))
        progress(config, expected_seconds(config))
    return Results(planned.name, planned.question, scale, seed, planned.repetitions, METHOD, on, runs)


def _resume(parts: Path, on: dict[str, object], order: Sequence[tuple[int, Config]]) -> list[Run]:
    """The runs that are there already; a file of another plan, code or machine is begun anew."""
    head = {name: on[name] for name in _SAME}
    # The results of finished experiments are changes to the working copy, but not to what is measured.
    head["commit"] = str(on["commit"]).removesuffix("+changes")
    try:
        first, *lines = parts.read_text().splitlines()
        runs = [Run.from_dict(json.loads(line)) for line in lines]
        if json.loads(first) == head and [(run.block, run.config) for run in runs] == list(order[: len(runs)]):
            return runs
    except (OSError, ValueError, KeyError, TypeError):
        pass  # missing, or torn by the interruption
    parts.parent.mkdir(parents=True, exist_ok=True)
    parts.unlink(missing_ok=True)
    _append(parts, head)
    return []


def _append(parts: Path, record: dict[str, object]) -> None:
    with parts.open("a") as file:
        file.write(json.dumps(record, allow_nan=False) + "\n")


def agreement(one: Results, other: Results) -> tuple[int, int]:
    """How many configurations of two results agree within the intervals that they state, and how many both have."""
    common = [config for config in _configs(one) if _values(one, config) and _values(other, config)]
    agreeing = [
        agree(median_interval(_values(one, config), one.seed), median_interval(_values(other, config), other.seed))
        for config in common
    ]
    return sum(agreeing), len(common)


def _configs(results: Results) -> list[Config]:
    return list(dict.fromkeys(run.config for run in results.runs))


def _values(results: Results, config: Config) -> list[float]:
    found = [run.measurement for run in results.runs if run.config == config and run.sound]
    return [each.value for each in found if each and each.invalid is None and each.value is not None]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and write the JSON files; returns 1 if a run failed, lost a message or delivered one twice."""
    names = [each.name for each in experiments()]
    parser = argparse.ArgumentParser(prog="python -m lightbroker.lab.bench.campaign", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        default=os.environ.get("LIGHTBROKER_SCALE") == "quick",
        help="a tenth of everything, once; writes no file; also by LIGHTBROKER_SCALE=quick",
    )
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--seed", type=int, default=1, help="of the order of the runs (default: 1)")
    options = parser.parse_args(argv)
    planned = [each for each in experiments(quick=options.quick) if each.name in options.only]
    folder = None if options.quick else DATA
    console = Console(width=None if sys.stdout.isatty() else 120)
    sound = True
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    # No refresh by a thread: it would run beside the measurement, in the process that holds the canary.
    with Progress(*columns, TimeRemainingColumn(), console=console, auto_refresh=False) as progress:
        task = progress.add_task("", total=sum(each.seconds for each in planned))
        for each in planned:
            progress.update(task, description=each.name, refresh=True)
            scale = "quick" if options.quick else "full"
            found = measure(
                each,
                seed=options.seed,
                scale=scale,
                folder=folder,
                progress=lambda _, seconds: progress.update(task, advance=seconds, refresh=True),
            )
            sound = _tell(console, found, folder) and sound
    for each in planned if folder else ():
        (DATA / f"{each.name}.parts.jsonl").unlink(missing_ok=True)
    return 0 if sound else 1


def _tell(console: Console, found: Results, folder: Path | None) -> bool:
    """Print what was found, and write it if there is a folder; whether every run was sound."""
    console.print(f"[bold]{found.name}[/]: {found.question}")
    for config in _configs(found):
        runs = [run for run in found.runs if run.config == config]
        values = _values(found, config)
        unit = next((run.measurement.unit for run in runs if run.measurement), "")
        value = f"{median(values):,.4g} {unit}" if values else "no value"
        note = "" if len(values) == len(runs) else f"  ({len(values)} of {len(runs)} runs valid)"
        console.print(f"  {_name(config)}: {value}{note}", highlight=False, soft_wrap=True)
    select = Select(found.runs, found.seed)
    for twin in (config for config in _configs(found) if config.twin):
        same = {**asdict(twin), "twin": False}
        first, second = select.blocks(**same), select.blocks(**asdict(twin))
        if blocks := first.keys() & second.keys():
            floor = noise_floor(first, second, found.seed)
            console.print(f"  noise floor (A/A over {len(blocks)} blocks): a factor of {floor:.2f} is noise")
    faults = [run for run in found.runs if not run.sound]
    for run in faults:
        console.print(f"  UNSOUND {_name(run.config)}, block {run.block}: {run.error or run.measurement}", markup=False)
    if folder:
        path = folder / f"{found.name}.json"
        try:
            agreeing, common = agreement(Results.read(path), found)
            console.print(f"  against the results that this replaces: {agreeing} of {common} agree")
        except (OSError, ValueError):
            pass  # nothing to compare with
        found.write(path)
    return not faults


def _name(config: Config) -> str:
    """What sets a configuration apart: all that is not at its default."""
    usual = Config(config.scenario, config.system, config.messages, config.warmup)
    said = {name: value for name, value in asdict(config).items() if value != getattr(usual, name) and name != "curves"}
    return f"{config.scenario} {config.system} " + " ".join(f"{name}={value}" for name, value in said.items())


if __name__ == "__main__":
    sys.exit(main())
