"""`lightbroker bench --storage`: the stores beside other queues that outlive a process."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from lightbroker.lab.bench import report
from lightbroker.lab.bench.bars import Select, weigh
from lightbroker.lab.bench.study import Study
from lightbroker.lab.bench.systems import (
    LIGHT,
    LIGHT_REDIS,
    LIGHT_SQLITE,
    LIGHT_SQLITE_FULL,
    LITEQUEUE,
    PERSIST_QUEUE,
    QUEUE,
    REDIS_STREAM,
    available,
)
from lightbroker.lab.measure.results import Bar, Bench, Config, Run
from lightbroker.lab.measure.stats import Estimate
from lightbroker.lab.scenarios.any_peer import SHALLOW
from lightbroker.lab.scenarios.in_memory import BATCH

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
_QUEUED = 1_000_000  # messages, in the deep queue

_COLUMNS = (("process", 1), ("process", BATCH), ("processes", 1), ("processes", BATCH))  # scenario, messages a call
# Messages for a run of about a second, by system and column; 0: the system is not measured in that way.
_MESSAGES = {
    LIGHT: (400_000, 600_000, 0, 0),
    QUEUE: (400_000, 0, 0, 0),
    LIGHT_SQLITE: (12_000, 80_000, 5_000, 40_000),
    LIGHT_SQLITE_FULL: (1_000, 30_000, 400, 10_000),
    LIGHT_REDIS: (4_000, 40_000, 4_000, 30_000),
    LITEQUEUE: (8_000, 0, 3_000, 0),
    PERSIST_QUEUE: (1_000, 0, 0, 0),
    "huey SQLite": (1_000, 0, 500, 0),
    "huey Redis": (3_000, 0, 3_000, 0),
    "dramatiq Redis": (2_500, 0, 2_500, 0),
    REDIS_STREAM: (5_000, 30_000, 5_000, 30_000),
}


def study(quick: bool) -> Study:
    """Plan the runs of the stores and of their peers, as far as they are installed here."""
    kinds, skipped = available(_MESSAGES)
    share = _QUICK if quick else 1
    groups: dict[str, list[Config]] = {
        "process": [],
        "processes": [],
        "depth": [Config("depth", name, _QUEUED // (10 if quick else 1), 0) for name in (LIGHT, LIGHT_SQLITE)],
    }
    for name in kinds:
        for (scenario, batch), messages in zip(_COLUMNS, _MESSAGES[name]):
            if messages:
                members = 1 if scenario == "process" else 2
                config = Config(scenario, name, messages // share, messages // share // 10, None, members, members)
                groups[scenario].append(replace(config, batch=batch))
    groups["process"] += [replace(each, twin=True) for each in groups["process"] if each.system == LIGHT_SQLITE][:1]
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
    """Return the bars of the stores; a bar whose runs were not made says so.

    Args:
        runs: The runs of this study.
        seed: Of the bootstrap that makes the intervals.
    """
    select = Select(runs, seed)
    single: dict[str, object] = {"scenario": "process", "batch": 1}
    batches: dict[str, object] = {"scenario": "process", "batch": BATCH}

    def beside(name: str, other: str) -> Estimate | None:
        """Return the time of a message with one system as a ratio to the time with the other, one at a time."""
        return select.ratio({"system": name}, {"system": other}, **single)

    sqlite, persist_queue = beside(LIGHT_SQLITE, LITEQUEUE), beside(PERSIST_QUEUE, LIGHT_SQLITE)
    redis, memory = beside(LIGHT_REDIS, REDIS_STREAM), beside(LIGHT, QUEUE)
    sqlite_rate = select.estimate(cycles_per_second(select, LIGHT_SQLITE)[1])
    full_rate = select.estimate(cycles_per_second(select, LIGHT_SQLITE_FULL)[1])
    redis_batches = select.ratio(single, batches, system=LIGHT_REDIS)
    return [
        weigh("SQLite / litequeue, one at a time", 1, "ratio", sqlite),
        weigh("persist-queue / SQLite, one at a time", 5, "ratio", persist_queue, least=True),
        weigh("SQLite, batches of 100", 50_000, "cycles/s", sqlite_rate, least=True),
        weigh("SQLite FULL, batches of 100", 20_000, "cycles/s", full_rate, least=True),
        *(_deep_bar(select, name) for name in (LIGHT_SQLITE, LIGHT)),
        weigh("Redis / stream add + read + ack, one at a time", 1, "ratio", redis),
        weigh("Redis, batches of 100 / one at a time", 10, "times the rate", redis_batches, least=True),
        weigh("memory, push + pull + ack / queue.Queue", 1.3, "ratio", memory),
    ]


def _deep_bar(select: Select, name: str) -> Bar:
    """Return the bar on a pull from a deep queue beside one from a shallow queue.

    Runs with fewer messages than the bar asks for, as at the quick scale, do not count.
    """
    store = name.removeprefix(LIGHT).strip() or "memory"
    found = select.estimate(select.values(scenario="depth", system=name))
    queued = {run.config.messages for run in select.runs_of(scenario="depth", system=name)}
    enough = not queued or queued == {_QUEUED}
    claim = f"{store}, a pull with {_QUEUED:,} queued / {SHALLOW:,}"
    bar = weigh(claim, 1.5, "ratio", found if enough else None)
    return bar if enough else replace(bar, verdict=f"not measured: only {min(queued):,} queued")


def show(console: Console, bench: Bench) -> None:
    """Print what each system promises, its full cycles per second, pulls from a deep queue, and the bars."""
    select = Select(bench.runs, bench.seed)
    console.print(report.promises_table(bench))
    for table in (_cycles(select, bench.promises), _pulls(select, bench.promises)):
        if table.row_count:
            console.print(table)
    report.print_end(console, bench)


def cycles_per_second(select: Select, name: str) -> list[list[float]]:
    """Return the full cycles per second of one system, a value for each run.

    Args:
        select: The runs of this study.
        name: The system.

    Returns:
        A list for each of: one process one at a time, one process in batches of 100, four processes one at a time,
        four processes in batches of 100. A list is empty if the system was not measured in that way.
    """
    found = []
    for scenario, batch in _COLUMNS:
        values = select.values(scenario=scenario, system=name, batch=batch)
        # One process measures µs a message, several processes measure messages/s.
        found.append([1e6 / value for value in values] if scenario == "process" else values)
    return found


def _cycles(select: Select, names: Iterable[str]) -> Table:
    """Return a table of full cycles per second; systems that were not measured are left out."""
    headings = ("", "one process", "batches of 100", "four processes", "batches of 100")
    table = report.empty_table("Full cycles, thousand/s, 100-byte bodies", *headings, caption=report.RANGE)
    for name in names:
        columns = cycles_per_second(select, name)
        if any(columns):
            table.add_row(name, *(report.spread([value / 1e3 for value in values]) for values in columns))
    return table


def _pulls(select: Select, names: Iterable[str]) -> Table:
    """Return a table of the time of a pull, in µs, from a shallow and from a deep queue, and their ratio."""
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
