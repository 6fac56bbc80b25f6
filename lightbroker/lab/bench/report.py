"""The tables and the progress bar on the terminal.

Each study prints tables of its own with what is here: what each system promises comes first, the bars come last.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from statistics import median

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from lightbroker.lab.bench.bars import Select
from lightbroker.lab.measure.results import Bench, Config, Run

RANGE = "median (minimum-maximum) over the runs"  #: the caption of a table whose cells come from `spread`
_COLUMNS = 120  # the width of the tables, in characters


def terminal() -> Console:
    """Return a console on standard output.

    A pipe or a file has no width of its own, and the tables need more than the usual 80 columns.
    """
    return Console(width=None if sys.stdout.isatty() else _COLUMNS)


def progress(console: Console, done: ProgressColumn) -> Progress:
    """Return a progress bar that is drawn only when it is told to.

    A thread that redraws it would run beside the measurement, in the process that holds the canary.

    Args:
        console: Where to draw it.
        done: The column that says how much is done, such as a percentage.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), done, TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, auto_refresh=False)


def print_end(console: Console, bench: Bench) -> None:
    """Print what every study ends with: the noise, what went wrong, what was left out, and the bars."""
    left_out = (f"SKIPPED {name}: {reason}" for name, reason in bench.skipped.items())
    for line in (*_noise(Select(bench.runs, bench.seed), bench.runs), *_faults(bench.runs), *left_out):
        console.print(line, highlight=False, soft_wrap=True)
    if bench.bars:
        console.print(_bars(bench))


def empty_table(title: str, *headings: str, caption: str | None = None, left: int | None = None) -> Table:
    """Return a table without rows.

    Args:
        title: Above the table.
        headings: One for each column. The first column holds names, and the others hold numbers, set to the right.
        caption: Below the table.
        left: The index of the column from which on the cells hold words again, set to the left (None: no column).
    """
    table = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, title_justify="left", caption_justify="left")
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if 0 < index < (left or len(headings)) else "left")
    return table


def promises_table(bench: Bench) -> Table:
    """Return a table of what each system promises."""
    table = empty_table("What each system promises", "system", "promises", "note", left=1)
    for name, promises in bench.promises.items():
        table.add_row(name, promise_words(promises), promises["note"])
    return table


def promise_words(promises: Mapping[str, object], leave_out: Sequence[str] = ()) -> str:
    """Return the names of the promises that a system keeps, separated by commas; a dash if it keeps none.

    Args:
        promises: The fields of `Promises`; those that are True are kept.
        leave_out: Fields that are not named even if they are kept.
    """
    kept = [name for name, value in promises.items() if value is True and name not in leave_out]
    return ", ".join(name.removeprefix("across_").replace("_", " ") for name in kept) or "-"


def number(value: float | None) -> str:
    """Return a value with three significant digits, or with all digits from 100 on.

    None, for a value that the samples do not support, is a dash.
    """
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def spread(values: Sequence[float]) -> str:
    """Return the median and the range of the values, as the caption `RANGE` says; a dash without values."""
    if not values:
        return "-"
    return f"{number(median(values))} ({number(min(values))}-{number(max(values))})"


def _noise(select: Select, runs: Sequence[Run]) -> Iterator[str]:
    """Yield how much each A/A pair differs from itself, and how long the canary overslept."""
    for twin in dict.fromkeys(run.config for run in runs if run.config.twin):
        settings = {key: value for key, value in asdict(twin).items() if key != "twin"}
        found = select.ratio({"twin": True}, {"twin": False}, **settings)
        if found is not None:
            yield (
                f"Noise floor (A/A), {_name(twin)}: {twin.system} is {found.median:.2f} times itself "
                f"({found.low:.2f} to {found.high:.2f})"
            )
    worst = [run.canary["max_us"] or 0.0 for run in runs]
    yield f"Canary, 1 ms sleeps beside each run: the longest oversleep of a run was {spread(worst)} µs"


def _faults(runs: Sequence[Run]) -> Iterator[str]:
    """Yield a line for each run that failed, that lost or repeated a message, or whose numbers are not valid."""
    for run in runs:
        head = f"{_name(run.config)}, {run.config.system}, block {run.block}"
        if run.measurement is None:
            yield f"FAILED {head}: {run.error}"
        elif not run.sound:
            yield f"UNSOUND {head}: {run.measurement.audit}"
        elif run.measurement.invalid:
            yield f"invalid {head}: {run.measurement.invalid}"


def _bars(bench: Bench) -> Table:
    indicative = " (quick scale: indicative only, not the committed scale)" if bench.scale == "quick" else ""
    table = empty_table(f"The bars{indicative}", "", "bar", "measured", "", "verdict")
    for bar in bench.bars:
        measured = "-" if bar.measured is None else number(bar.measured)
        if bar.low is not None:
            measured += f" ({number(bar.low)}-{number(bar.high)})"
        style = {True: "green", False: "red", None: "yellow"}[bar.met]
        table.add_row(bar.claim, f"{bar.sense} {number(bar.limit)}", measured, bar.unit, bar.verdict, style=style)
    return table


def _name(config: Config) -> str:
    """Return what a configuration measures, but for the system."""
    rate = "" if config.rate is None else f" at {config.rate:,.0f}/s"
    bound = "" if config.capacity is None else f" bounded at {config.capacity:,}"
    crowd = config.scenario in ("closed", "open", "processes")
    shape = f" {config.producers} x {config.consumers}" if crowd else ""
    batch = "" if config.batch == 1 else f" in batches of {config.batch}"
    return f"{config.scenario}{shape}{bound}{rate}{batch}"
