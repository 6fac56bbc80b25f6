"""The tables on the terminal: medians with their range, what each system promises, the bars at the end."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import TypeVar

from rich import box
from rich.console import Console
from rich.table import Table

from lightbroker.lab.bench.bars import Select
from lightbroker.lab.measure.results import Bench, Config, Run

_TITLES = {
    "cycle": "Full cycle, one message at a time, one thread, 100-byte bodies: µs a message",
    "batch": "Full cycle, batches of 100, one thread: µs a message",
    "closed": "Closed loop, producers x consumers: peak throughput, thousand messages/s",
    "open": "Open loop, 100 consumers: latency from the planned time, µs",
    "memory": "A queued message, beyond its body: bytes",
    "publish": "Publish to 100 subscribers (queues: a loop by hand): µs a copy",
}
RANGE = "median (minimum-maximum) over the runs"
_THOUSAND = {"closed": 1e3}
_T = TypeVar("_T")


def show(console: Console, bench: Bench) -> None:
    """Print every table of the bench; the bars come last."""
    select = Select(bench.runs, bench.seed)
    systems = list(bench.promises)
    console.print(promises(bench))
    for scenario in _TITLES:
        configs = _unique(run.config for run in bench.runs if run.config.scenario == scenario and not run.config.twin)
        configs.sort(key=lambda each: (each.rate or 0, each.producers, each.consumers, systems.index(each.system)))
        if configs:
            console.print(_latencies(select, configs) if scenario == "open" else _values(select, scenario, configs))
    close(console, bench)


def close(console: Console, bench: Bench) -> None:
    """Print what every bench ends with: the noise, what went wrong, what was left out, and the bars."""
    left_out = (f"SKIPPED {name}: {reason}" for name, reason in bench.skipped.items())
    for line in (*_noise(Select(bench.runs, bench.seed), bench.runs), *_faults(bench.runs), *left_out):
        console.print(line, highlight=False, soft_wrap=True)
    if bench.bars:
        console.print(_bars(bench))


def number(value: float | None) -> str:
    """Three digits that matter; a value that the samples do not support is a dash."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def empty_table(title: str, *headings: str, caption: str | None = None, left: int | None = None) -> Table:
    """An empty table; the columns after the first are numbers, up to the column `left` where words begin."""
    table = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, title_justify="left", caption_justify="left")
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if 0 < index < (left or len(headings)) else "left")
    return table


def promises(bench: Bench) -> Table:
    """What each system promises, in words."""
    found = empty_table("What each system promises", "system", "promises", "note", left=1)
    for name, kept in bench.promises.items():
        found.add_row(name, words(kept), kept["note"])
    return found


def words(promises: Mapping[str, object], leave_out: Sequence[str] = ()) -> str:
    """The promises that are kept, by name, but for those to leave out."""
    kept = [name for name, value in promises.items() if value is True and name not in leave_out]
    return ", ".join(name.removeprefix("across_").replace("_", " ") for name in kept) or "-"


def _values(select: Select, scenario: str, configs: Sequence[Config]) -> Table:
    systems = _unique(config.system for config in configs)
    table = empty_table(_TITLES[scenario], "", *systems, caption=RANGE)
    for producers, consumers, capacity in _unique((each.producers, each.consumers, each.capacity) for each in configs):
        shape = {"scenario": scenario, "producers": producers, "consumers": consumers, "capacity": capacity}
        found = [select.values(system=system, **shape) for system in systems]
        unit = _THOUSAND.get(scenario, 1.0)
        bound = "unbounded" if capacity is None else f"bounded at {capacity:,}"
        name = f"{producers} x {consumers}, {bound}" if scenario == "closed" else ""
        table.add_row(name, *(spread([value / unit for value in values]) for values in found))
    return table


def _latencies(select: Select, configs: Sequence[Config]) -> Table:
    headings = ("load/s", "from", "system", "p50", "p99", "p99.9", "max", "send lag p99", "valid")
    caption = "medians over the valid runs (p99: minimum-maximum); '-': too few samples for the percentile"
    table = empty_table(_TITLES["open"], *headings, caption=caption)
    for config in configs:
        settings = asdict(config)
        found = [measurement.details for _, measurement in select.measurements(**settings)]
        table.add_row(
            number(config.rate),
            str(config.producers),
            config.system,
            number(_median(found, "p50_us")),
            spread([value for each in found if (value := each["p99_us"]) is not None]),
            *(number(_median(found, name)) for name in ("p99.9_us", "max_us", "send_lag_p99_us")),
            f"{len(found)} of {len(list(select.runs_of(**settings)))}",
        )
    return table


def _noise(select: Select, runs: Sequence[Run]) -> Iterator[str]:
    for twin in _unique(run.config for run in runs if run.config.twin):
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
    rate = "" if config.rate is None else f" at {config.rate:,.0f}/s"
    bound = "" if config.capacity is None else f" bounded at {config.capacity:,}"
    crowd = config.scenario in ("closed", "open", "processes")
    shape = f" {config.producers} x {config.consumers}" if crowd else ""
    batch = "" if config.batch == 1 else f" in batches of {config.batch}"
    return f"{config.scenario}{shape}{bound}{rate}{batch}"


def _median(found: Sequence[dict[str, float | None]], name: str) -> float | None:
    values = [value for each in found if (value := each[name]) is not None]
    return median(values) if values else None


def spread(values: Sequence[float]) -> str:
    """The median and the range, as RANGE says; a dash without values."""
    if not values:
        return "-"
    return f"{number(median(values))} ({number(min(values))}-{number(max(values))})"


def _unique(items: Iterable[_T]) -> list[_T]:
    return list(dict.fromkeys(items))
