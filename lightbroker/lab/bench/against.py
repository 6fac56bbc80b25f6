"""This working copy beside an earlier revision of itself: `python -m lightbroker.lab.bench.against REVISION`.

Each run is a fresh process that imports the package from the folder of its revision. The two revisions take turns in an
order drawn anew for each block. The working copy runs twice in each block: how much it differs from itself is the noise
of the machine. A ratio is the time now to the time then, paired within a block: below 1 is faster.
"""

import argparse
import io
import json
import random
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from lightbroker.lab.bench import report
from lightbroker.lab.bench.bars import Select, weigh
from lightbroker.lab.bench.systems import LIGHT
from lightbroker.lab.measure import machine
from lightbroker.lab.measure.results import Config, Run
from lightbroker.lab.scenarios import experiment

SCHEMA = "lightbroker-against/1"
ROOT = Path(__file__).parents[3]  #: the working copy
OLD_WORKER = "lightbroker.lab.worker"  #: the module that measures in a revision up to version 1.0.0
MOST = 1.03  #: the bar: at most so many times the time of the earlier revision
#: What is measured. The value is µs a message, but for the scenarios in _RATES, where it is messages/s.
CONFIGS = {
    "cycle": Config("cycle", LIGHT, 200_000, 20_000),
    "batch": Config("batch", LIGHT, 300_000, 30_000),
    "closed": Config("closed", LIGHT, 200_000, 10_000, 1_000, 10, 100),
    "publish": Config("publish", LIGHT, 4_000, 500),
}
_RATES = ("closed",)


@contextmanager
def checkout(revision: str) -> Iterator[Path]:
    """Unpack the package as it was in a revision of git into a temporary folder, and remove it afterwards.

    Raises:
        ValueError: Git knows no such revision.
    """
    found = subprocess.run(("git", "archive", revision, "lightbroker"), cwd=ROOT, capture_output=True)
    if found.returncode:
        raise ValueError(f"{revision}: {found.stderr.decode(errors='replace').strip()}")
    with tempfile.TemporaryDirectory(prefix="lightbroker-") as folder:
        with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
            archive.extractall(folder, filter="data")
        yield Path(folder)


def measure(revision: str, configs: Sequence[Config], repetitions: int, seed: int) -> tuple[list[Run], list[Run]]:
    """Measure the working copy and the revision.

    Args:
        revision: A commit, a tag or a branch of git.
        configs: What is measured.
        repetitions: How many blocks; each block holds every configuration three times: now, now again, then.
        seed: Of the order of the runs.

    Returns:
        The runs of the working copy, of which half have `twin` set, and the runs of the revision.
    """
    rng = random.Random(seed)
    now: list[Run] = []
    then: list[Run] = []
    with checkout(revision) as folder:
        worker = OLD_WORKER if (folder / "lightbroker" / "lab" / "worker.py").exists() else experiment.WORKER
        for block in range(repetitions):
            for config in rng.sample(configs, len(configs)):
                sides = (
                    (now, config, ROOT, experiment.WORKER),
                    (now, replace(config, twin=True), ROOT, experiment.WORKER),
                    (then, config, folder, worker),
                )
                for runs, mine, root, module in rng.sample(sides, len(sides)):
                    runs.append(experiment.run(block, mine, root=root, worker=module))
    return now, then


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the working copy beside a revision, and print the table.

    Args:
        argv: The arguments (None: those of the process).

    Returns:
        The exit code: 0 if every run delivered every message once, however slow it was, and 1 otherwise.
    """
    parser = argparse.ArgumentParser(prog="python -m lightbroker.lab.bench.against", description=__doc__)
    parser.add_argument("revision", help="a commit, a tag or a branch of git, such as HEAD~1 or main")
    parser.add_argument("--repetitions", type=int, default=15, metavar="N", help="blocks (default: 15)")
    parser.add_argument("--only", nargs="+", choices=CONFIGS, default=list(CONFIGS), metavar="NAME", help="of these")
    parser.add_argument("--out", type=Path, metavar="PATH", help="write every run and the table to this JSON file")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the runs and of the bootstrap")
    options = parser.parse_args(argv)
    configs = [CONFIGS[name] for name in options.only]
    try:
        now, then = measure(options.revision, configs, options.repetitions, options.seed)
    except ValueError as error:
        parser.error(str(error))
    console = report.terminal()
    headings = ("now", f"at {options.revision}", "ratio", "with itself", f"at most {MOST:g}")
    table = report.empty_table(__doc__.partition(":")[0], "", *headings, caption=report.RANGE, left=5)
    rows = {name: list(_row(now, then, name, options.seed)) for name in options.only}
    for name, cells in rows.items():
        table.add_row(name, *cells)
    console.print(table)
    if options.out:
        found = {
            "schema": SCHEMA,
            "revision": options.revision,
            "seed": options.seed,
            "repetitions": options.repetitions,
            "machine": machine.describe(),
            "headings": headings,
            "table": rows,
            "now": [asdict(run) for run in now],
            "then": [asdict(run) for run in then],
        }
        options.out.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n")
    faults = [run for run in (*now, *then) if not run.sound]
    for run in faults:
        console.print(f"UNSOUND {run.config}: {run.error or run.measurement}", markup=False)
    return 1 if faults else 0


def _row(now: Sequence[Run], then: Sequence[Run], scenario: str, seed: int) -> Iterator[str]:
    """Yield the cells of a row: both values, the ratio, the ratio of the working copy to itself, and the verdict."""
    select = Select(now, seed)
    here, twin = select.blocks(scenario=scenario), select.blocks(scenario=scenario, twin=True)
    there = Select(then, seed).blocks(scenario=scenario)
    yield from (report.spread(list(values.values())) for values in (here, there))
    ratios = []
    for other in (there, twin):
        pairs = [(here[block], other[block]) for block in here.keys() & other.keys()]
        ratios.append(select.estimate([b / a if scenario in _RATES else a / b for a, b in pairs]))
    for ratio in ratios:
        yield "-" if ratio is None else f"{ratio.median:.3f} ({ratio.low:.3f}-{ratio.high:.3f})"
    yield weigh(scenario, MOST, "ratio", ratios[0]).verdict


if __name__ == "__main__":
    sys.exit(main())
