"""`make experiments`: measures every experiment of the notebooks, and goes on where it was interrupted.

Each run is written to a file of parts beside the results as soon as it is made. The next start takes up those runs if
the same plan, code and machine made them; otherwise it begins again. The parts are removed when everything is done.
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
from rich.progress import TaskProgressColumn

from lightbroker.lab.bench import report
from lightbroker.lab.bench.bars import Select
from lightbroker.lab.bench.experiments import Experiment, expected_seconds, experiments
from lightbroker.lab.bench.studies.memory import METHOD
from lightbroker.lab.measure import machine
from lightbroker.lab.measure.results import Config, Results, Run
from lightbroker.lab.measure.stats import agree, noise_floor
from lightbroker.lab.scenarios import experiment

DATA = Path("figures/data")  #: where the results go, below the current folder
# What has to agree in the machine's description before an interrupted experiment goes on.
_SAME = ("cpu", "cores_usable", "kernel", "python", "python_build", "gil", "libraries", "commit")


def measure(
    planned: Experiment,
    *,
    seed: int,
    scale: str = "full",
    folder: Path | None = None,
    progress: Callable[[Config, float], None] = lambda config, seconds: None,
) -> Results:
    """Make the runs of one experiment, but for those that an interrupted start has made already.

    Args:
        planned: The experiment.
        seed: Of the order of the runs.
        scale: `full` or `quick`, as it is noted in the results.
        folder: Where the parts are kept (None: nowhere, and every run is made).
        progress: Called after each run with its configuration and the seconds that it was expected to take.
    """
    order = experiment.schedule([planned.configs], planned.repetitions, seed)
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
    """Return the runs that the file of parts holds; replace a file of another plan, code or machine by an empty one.

    Args:
        parts: The file: the machine on the first line, then a run on each line.
        on: The description of this machine.
        order: The block and the configuration of each planned run.
    """
    head = {name: on[name] for name in _SAME}
    # Results of finished experiments change the working copy, but not the code that is measured.
    head["commit"] = str(on["commit"]).removesuffix("+changes")
    try:
        first, *lines = parts.read_text().splitlines()
        runs = [Run.from_dict(json.loads(line)) for line in lines]
        if json.loads(first) == head and [(run.block, run.config) for run in runs] == list(order[: len(runs)]):
            return runs
    except (OSError, ValueError, KeyError, TypeError):
        pass  # the file is missing, or the interruption tore its last line
    parts.parent.mkdir(parents=True, exist_ok=True)
    parts.unlink(missing_ok=True)
    _append(parts, head)
    return []


def _append(parts: Path, record: dict[str, object]) -> None:
    with parts.open("a") as file:
        file.write(json.dumps(record, allow_nan=False) + "\n")


def agreement(one: Results, other: Results) -> tuple[int, int]:
    """Compare two results of the same experiment.

    Returns:
        The number of configurations whose 95 % intervals overlap, and the number that both results have values of.
    """
    first, second = Select(one.runs, one.seed), Select(other.runs, other.seed)
    pairs = [
        (first.estimate(first.values(**asdict(config))), second.estimate(second.values(**asdict(config))))
        for config in _configs(one)
    ]
    common = [(here, there) for here, there in pairs if here is not None and there is not None]
    return sum(agree(here, there) for here, there in common), len(common)


def _configs(results: Results) -> list[Config]:
    return list(dict.fromkeys(run.config for run in results.runs))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and write the JSON files.

    Args:
        argv: The options (None: those of the process).

    Returns:
        The exit code: 1 if a run failed, lost a message or delivered one twice, and 0 otherwise.
    """
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
    console = report.terminal()
    sound = True
    with report.progress(console, TaskProgressColumn()) as progress:
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
            sound = _report(console, found, folder) and sound
    for each in planned if folder else ():
        (DATA / f"{each.name}.parts.jsonl").unlink(missing_ok=True)
    return 0 if sound else 1


def _report(console: Console, found: Results, folder: Path | None) -> bool:
    """Print the results, and write them if there is a folder.

    Returns:
        Whether every run delivered every message once.
    """
    select = Select(found.runs, found.seed)
    console.print(f"[bold]{found.name}[/]: {found.question}")
    for config in _configs(found):
        runs = list(select.runs_of(**asdict(config)))
        values = select.values(**asdict(config))
        unit = next((run.measurement.unit for run in runs if run.measurement), "")
        value = f"{median(values):,.4g} {unit}" if values else "no value"
        note = "" if len(values) == len(runs) else f"  ({len(values)} of {len(runs)} runs valid)"
        console.print(f"  {_name(config)}: {value}{note}", highlight=False, soft_wrap=True)
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
            pass  # there are no earlier results to compare with
        found.write(path)
    return not faults


def _name(config: Config) -> str:
    """Return scenario, system and every setting that is not at its default: experiments differ in any of them."""
    usual = Config(config.scenario, config.system, config.messages, config.warmup)
    said = {name: value for name, value in asdict(config).items() if value != getattr(usual, name) and name != "curves"}
    return f"{config.scenario} {config.system} " + " ".join(f"{name}={value}" for name, value in said.items())


if __name__ == "__main__":
    sys.exit(main())
