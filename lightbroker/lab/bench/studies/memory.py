"""`lightbroker bench`: the memory store beside the queues of the standard library."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from statistics import median

from rich.console import Console
from rich.table import Table

from lightbroker.lab.bench import report
from lightbroker.lab.bench.bars import Select, weigh
from lightbroker.lab.bench.studies import memory_plan as plan
from lightbroker.lab.bench.study import Study
from lightbroker.lab.bench.systems import LIGHT, QUEUE
from lightbroker.lab.measure.results import Bar, Bench, Config, Run
from lightbroker.lab.scenarios.in_memory import SYSTEMS

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
_TITLES = {
    "cycle": "Full cycle, one message at a time, one thread, 100-byte bodies: µs a message",
    "batch": "Full cycle, batches of 100, one thread: µs a message",
    "closed": "Closed loop, producers x consumers: peak throughput, thousand messages/s",
    "open": "Open loop, 100 consumers: latency from the planned time, µs",
    "memory": "A queued message, beyond its body: bytes",
    "publish": "Publish to 100 subscribers (queues: a loop by hand): µs a copy",
}
_TAIL_LIMIT_US = 1_000
_WITHIN_LIMIT = 0.9  # of the runs, for the bar on the tail: 9 of 10


def study(quick: bool) -> Study:
    """Plan the runs of the memory store and of the queues of the standard library."""
    scale = plan.QUICK if quick else plan.FULL
    return Study(
        scale=scale.name,
        repetitions=scale.repetitions,
        groups=[group for found in plan.groups(scale).values() for group in found],
        only="scenario",
        method=METHOD,
        kinds={name: SYSTEMS[name] for name in scale.systems},
        judge=judge,
        show=show,
    )


def judge(runs: Sequence[Run], seed: int) -> list[Bar]:
    """Return every bar of the memory store; a bar whose runs were not made says so.

    Args:
        runs: The runs of this study.
        seed: Of the bootstrap that makes the intervals.
    """
    select = Select(runs, seed)
    light: dict[str, object] = {"system": LIGHT}
    peer: dict[str, object] = {"system": QUEUE}
    wide: dict[str, object] = {"scenario": "closed", "producers": 10, "consumers": 100, "capacity": None}
    bars = [
        weigh("push + pull + ack / queue.Queue", 1.3, "ratio", select.ratio(light, peer, scenario="cycle")),
        weigh("10 x 100 throughput / queue.Queue", 12, "ratio", select.ratio(light, peer, **wide), least=True),
    ]
    for producers in (1, 10):
        scaling = select.ratio(
            {"consumers": 100}, {"consumers": 1}, scenario="closed", producers=producers, capacity=None, **light
        )
        bars.append(weigh(f"{producers} x 100 throughput / {producers} x 1", 0.8, "ratio", scaling, least=True))
    batch = select.estimate(select.values(scenario="batch", **light))
    bars.append(weigh("batches of 100, full cycle", 0.6, "µs/message", batch))
    bars += [_tail_bar(select, producers) for producers in (1, 10)]
    bars.append(_tail_beside_peer_bar(select))
    memory = select.estimate(select.values(scenario="memory", **light))
    bars.append(weigh("queued message beyond its body", 320, "bytes", memory))
    bars.append(_million_bar(select))
    copies = select.estimate(select.values(scenario="publish", **light))
    bars.append(weigh("publish to 100 subscribers", 0.3, "µs/copy", copies))
    return bars


def _tail_bar(select: Select, producers: int) -> Bar:
    """Return the bar on the p99, which 9 of 10 runs have to meet.

    A run that is invalid or lost a message counts as one that missed it. The bar gives the range of the runs.
    """
    claim = f"p99 at 10,000/s, {producers} x 100, in 9 of 10 runs"
    settings: dict[str, object] = {"scenario": "open", "system": LIGHT, "rate": plan.TAIL_RATE, "producers": producers}
    made, values = len(list(select.runs_of(**settings))), select.values(**settings)
    bar = weigh(claim, _TAIL_LIMIT_US, "µs", None)
    if not made:
        return bar
    within = sum(value < _TAIL_LIMIT_US for value in values)
    met = within >= _WITHIN_LIMIT * made
    bar = replace(bar, met=met, verdict=f"{'met' if met else 'missed'}: {within} of {made} runs")
    return replace(bar, measured=median(values), low=min(values), high=max(values)) if values else bar


def _tail_beside_peer_bar(select: Select) -> Bar:
    settings: dict[str, object] = {"scenario": "open", "rate": 50_000, "producers": 10}
    found = select.ratio({"system": LIGHT}, {"system": QUEUE}, **settings)
    bar = weigh("p99 at 50,000/s, 10 x 100 / queue.Queue", 1 / 3, "ratio", found)
    if found is None and select.values(system=LIGHT, **settings) and any(select.runs_of(system=QUEUE, **settings)):
        return replace(bar, verdict="no ratio: queue.Queue kept the plan in no run")
    return bar


def _million_bar(select: Select) -> Bar:
    """Return the bar on a million queued messages, which every run has to deliver without losing one."""
    bar = weigh("queued and drained, none lost", 1e6, "messages", None, least=True)
    made = list(select.runs_of(scenario="memory", system=LIGHT))
    if not made:
        return bar
    if made[0].config.messages < bar.limit:
        return replace(bar, verdict=f"not measured: only {made[0].config.messages:,} queued")
    drained = [run.measurement.audit.received if run.sound and run.measurement else 0 for run in made]
    met = min(drained) >= bar.limit
    verdict = "met" if met else f"missed: {sum(each < bar.limit for each in drained)} of {len(made)} runs"
    return replace(bar, measured=median(drained), low=min(drained), high=max(drained), met=met, verdict=verdict)


def show(console: Console, bench: Bench) -> None:
    """Print what each system promises, a table for each scenario, and the bars."""
    select = Select(bench.runs, bench.seed)
    systems = list(bench.promises)
    console.print(report.promises_table(bench))
    for scenario in _TITLES:
        made = (run.config for run in bench.runs if run.config.scenario == scenario and not run.config.twin)
        configs = list(dict.fromkeys(made))
        configs.sort(key=lambda each: (each.rate or 0, each.producers, each.consumers, systems.index(each.system)))
        if configs:
            console.print(_latencies(select, configs) if scenario == "open" else _values(select, scenario, configs))
    report.print_end(console, bench)


def _values(select: Select, scenario: str, configs: Sequence[Config]) -> Table:
    """Return a table with a column for each system and a row for each number of producers and consumers."""
    systems = list(dict.fromkeys(config.system for config in configs))
    shapes = list(dict.fromkeys((each.producers, each.consumers, each.capacity) for each in configs))
    unit = 1e3 if scenario == "closed" else 1.0
    table = report.empty_table(_TITLES[scenario], "", *systems, caption=report.RANGE)
    for producers, consumers, capacity in shapes:
        shape = {"scenario": scenario, "producers": producers, "consumers": consumers, "capacity": capacity}
        found = [select.values(system=system, **shape) for system in systems]
        bound = "unbounded" if capacity is None else f"bounded at {capacity:,}"
        name = f"{producers} x {consumers}, {bound}" if scenario == "closed" else ""
        table.add_row(name, *(report.spread([value / unit for value in values]) for values in found))
    return table


def _latencies(select: Select, configs: Sequence[Config]) -> Table:
    """Return a table with a row of percentiles, in µs, for each configuration of the open loop."""
    headings = ("load/s", "from", "system", "p50", "p99", "p99.9", "max", "send lag p99", "valid")
    caption = "medians over the valid runs (p99: minimum-maximum); '-': too few samples for the percentile"
    table = report.empty_table(_TITLES["open"], *headings, caption=caption)
    for config in configs:
        settings = asdict(config)
        found = [measurement.details for _, measurement in select.measurements(**settings)]
        table.add_row(
            report.number(config.rate),
            str(config.producers),
            config.system,
            report.number(_median(found, "p50_us")),
            report.spread([value for each in found if (value := each["p99_us"]) is not None]),
            *(report.number(_median(found, name)) for name in ("p99.9_us", "max_us", "send_lag_p99_us")),
            f"{len(found)} of {len(list(select.runs_of(**settings)))}",
        )
    return table


def _median(found: Sequence[dict[str, float | None]], name: str) -> float | None:
    values = [value for each in found if (value := each[name]) is not None]
    return median(values) if values else None
