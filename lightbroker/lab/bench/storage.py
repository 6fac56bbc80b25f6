"""`lightbroker bench --storage`: the stores beside other queues that outlive a process, and the bars of the stores."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from lightbroker.lab.bench import report
from lightbroker.lab.bench.bars import Select, weigh
from lightbroker.lab.bench.plan import LIGHT, QUEUE
from lightbroker.lab.bench.study import Study, available
from lightbroker.lab.measure.results import Bar, Bench, Config, Run
from lightbroker.lab.scenarios.catalogue import BATCH
from lightbroker.lab.scenarios.exchange import SHALLOW

SQLITE, FULL, REDIS = "LightBroker SQLite", "LightBroker SQLite FULL", "LightBroker Redis"
LITE, PERSIST, STREAM = "litequeue", "persist-queue", "Redis stream"
METHOD = [
    "Every run is a process of its own, with an empty file or a server of its own; the peer warms up with a tenth of "
    "the messages before the clock starts. A block holds every configuration, in an order drawn anew for each block.",
    "A cycle is send, receive and settle. One process does all three on one thread, one message of 100 bytes or a "
    "batch of 100 before the next. Four processes are two producers and two consumers that share the file or the "
    "server; their time is that from the first send to the last message settled.",
    "Each body carries its number; what was lost, duplicated or unknown is counted after the clock has stopped.",
    "A pull with many messages queued is timed in turns with one from a queue of 1,000, in a store of its own, 100 "
    "pulls each turn; both queues keep their depth. The ratio is that of the median turns.",
    "Redis writes nothing to the disk here. SQLite does: its file system is in the machine's entry. persist-queue and "
    "huey leave `synchronous` at SQLite's default, full; litequeue sets normal.",
    "Values are medians over the runs; ratios are paired within a block; intervals are 95 % bootstrap intervals.",
]
_QUICK = 4  # times fewer messages
_QUEUED = 1_000_000

#: Messages for a run of about a second: in one process one at a time and in batches, and in four processes likewise.
_MESSAGES = {
    LIGHT: (400_000, 600_000, 0, 0),
    QUEUE: (400_000, 0, 0, 0),
    SQLITE: (12_000, 80_000, 5_000, 40_000),
    FULL: (1_000, 30_000, 400, 10_000),
    REDIS: (4_000, 40_000, 4_000, 30_000),
    LITE: (8_000, 0, 3_000, 0),
    PERSIST: (1_000, 0, 0, 0),
    "huey SQLite": (1_000, 0, 500, 0),
    "huey Redis": (3_000, 0, 3_000, 0),
    "dramatiq Redis": (2_500, 0, 2_500, 0),
    STREAM: (5_000, 30_000, 5_000, 30_000),
}
_COLUMNS = (("process", 1), ("process", BATCH), ("processes", 1), ("processes", BATCH))


def study(quick: bool) -> Study:
    """The stores of LightBroker and their peers, as far as they are installed here."""
    kinds, skipped = available(_MESSAGES)
    share = _QUICK if quick else 1
    groups: dict[str, list[Config]] = {
        "process": [],
        "processes": [],
        "depth": [Config("depth", name, _QUEUED // (10 if quick else 1), 0) for name in (LIGHT, SQLITE)],
    }
    for name in kinds:
        for (scenario, batch), messages in zip(_COLUMNS, _MESSAGES[name]):
            if messages:
                members = 1 if scenario == "process" else 2
                config = Config(scenario, name, messages // share, messages // share // 10, None, members, members)
                groups[scenario].append(replace(config, batch=batch))
    groups["process"] += [replace(each, twin=True) for each in groups["process"] if each.system == SQLITE][:1]
    return Study(
        scale="quick" if quick else "full",
        repetitions=2 if quick else 5,
        groups=list(groups.values()),
        only="scenario",
        method=METHOD,
        kinds=kinds,
        skipped=skipped,
        judge=judge,
        show=show,
    )


def judge(runs: Sequence[Run], seed: int) -> list[Bar]:
    """The bars of the stores; those whose runs were not made say so."""
    select = Select(runs, seed)
    single: dict[str, object] = {"scenario": "process", "batch": 1}
    batches: dict[str, object] = {"scenario": "process", "batch": BATCH}

    def of(name: str) -> dict[str, object]:
        return {"system": name}

    def rate(name: str) -> list[float]:
        return [1e6 / value for value in select.values(system=name, **batches)]

    return [
        weigh("SQLite / litequeue, one at a time", 1, "ratio", select.ratio(of(SQLITE), of(LITE), **single)),
        weigh(
            "persist-queue / SQLite, one at a time",
            5,
            "ratio",
            select.ratio(of(PERSIST), of(SQLITE), **single),
            least=True,
        ),
        weigh("SQLite, batches of 100", 50_000, "cycles/s", select.estimate(rate(SQLITE)), least=True),
        weigh("SQLite FULL, batches of 100", 20_000, "cycles/s", select.estimate(rate(FULL)), least=True),
        *(_deep(select, name) for name in (SQLITE, LIGHT)),
        weigh(
            "Redis / stream add + read + ack, one at a time", 1, "ratio", select.ratio(of(REDIS), of(STREAM), **single)
        ),
        weigh(
            "Redis, batches of 100 / one at a time",
            10,
            "times the rate",
            select.ratio(single, batches, **of(REDIS)),
            least=True,
        ),
        weigh("memory, push + pull + ack / queue.Queue", 1.3, "ratio", select.ratio(of(LIGHT), of(QUEUE), **single)),
    ]


def _deep(select: Select, name: str) -> Bar:
    found = select.estimate(select.values(scenario="depth", system=name))
    bar = weigh(f"{_store(name)}, a pull with {_QUEUED:,} queued / {SHALLOW:,}", 1.5, "ratio", found)
    queued = {run.config.messages for run in select.runs_of(scenario="depth", system=name)}
    if queued and queued != {_QUEUED}:
        return replace(
            bar, measured=None, low=None, high=None, met=None, verdict=f"not measured: only {min(queued):,} queued"
        )
    return bar


def _store(name: str) -> str:
    return name.removeprefix(LIGHT).strip() or "memory"


def show(console: Console, bench: Bench) -> None:
    """What each guarantees, full cycles per second, the pulls from a deep queue, and the bars."""
    select = Select(bench.runs, bench.seed)
    console.print(report.promises(bench))
    for table in (_cycles(select, bench.promises), _pulls(select, bench.promises)):
        if table.row_count:
            console.print(table)
    report.close(console, bench)


def _cycles(select: Select, names: Iterable[str]) -> Table:
    headings = ("", "one process", "batches of 100", "four processes", "batches of 100")
    table = report.empty_table("Full cycles, thousand/s, 100-byte bodies", *headings, caption=report.RANGE)
    for name in names:
        cells = []
        for scenario, batch in _COLUMNS:
            values = select.values(scenario=scenario, system=name, batch=batch)
            cells.append(report.spread([1e3 / value if scenario == "process" else value / 1e3 for value in values]))
        if set(cells) != {report.spread([])}:
            table.add_row(name, *cells)
    return table


def _pulls(select: Select, names: Iterable[str]) -> Table:
    headings = ("", f"with {SHALLOW:,} queued", "with", "queued", "times")
    table = report.empty_table("A pull, one at a time: µs", *headings, caption=report.RANGE)
    for name in names:
        found = [measurement for _, measurement in select.measurements(scenario="depth", system=name)]
        if found:
            [queued] = {run.config.messages for run in select.runs_of(scenario="depth", system=name)}
            few, many = ([each.details[key] or 0.0 for each in found] for key in ("shallow_us", "deep_us"))
            times = select.values(scenario="depth", system=name)
            table.add_row(name, report.spread(few), report.spread(many), f"{queued:,}", report.spread(times))
    return table
