"""`lightbroker bench --peers`: LightBroker beside what people use instead.

The systems are grouped by what happens to a message whose consumer dies: comparing the costs of different promises
would be unfair.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.console import Console

from lightbroker.lab.bench import report
from lightbroker.lab.bench.bars import Select
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
from lightbroker.lab.peers.catalogue import NAMES

METHOD = [
    "Every run is a process of its own, with an empty file or a server of its own on the loopback interface; the peer "
    "warms up with a tenth of the messages before the clock starts.",
    "Each sends, receives and settles one message of 100 bytes before the next, on one thread, in the system's own "
    "idiom; different numbers of messages go through different systems, so that every run lasts long enough.",
    "A block holds every system, in an order drawn anew for each block. Values are medians over the runs; ratios are "
    "paired within a block.",
    "Each body carries its number; what was lost, duplicated or unknown is counted after the clock has stopped.",
    "Servers write nothing to the disk here; SQLite files do, on the file system that the machine's entry names.",
]

# What each table holds, by (ack, lease), the strongest guarantee first.
_TITLES = {
    (True, True): "A lease: what a dead consumer took is delivered again",
    (True, False): "An ack, no lease: what a dead consumer took is kept, and has to be freed",
    (False, False): "Neither: what a dead consumer took is gone",
}
# So many messages that a run takes about a second, and still 0.3 s on a machine that is several times faster.
_MESSAGES = {
    LIGHT: 500_000,
    LIGHT_SQLITE: 12_000,
    LIGHT_SQLITE_FULL: 1_200,
    LIGHT_REDIS: 4_000,
    "queue.SimpleQueue": 4_000_000,
    QUEUE: 500_000,
    "asyncio.Queue": 1_200_000,
    "janus": 800_000,
    "culsans": 400_000,
    "huey memory": 60_000,
    "huey SQLite": 1_200,
    "huey Redis": 4_000,
    "dramatiq stub": 40_000,
    "dramatiq Redis": 4_000,
    "kombu memory": 40_000,
    LITEQUEUE: 10_000,
    PERSIST_QUEUE: 1_200,
    "Redis list": 8_000,
    REDIS_STREAM: 5_000,
    "NATS core": 8_000,
    "NATS JetStream": 4_000,
    "beanstalkd": 12_000,
    "RabbitMQ": 3_000,
}


def study(quick: bool) -> Study:
    """Plan a run of every system that is installed here, one message at a time."""
    kinds, skipped = available(NAMES)
    group = [Config("process", name, _MESSAGES[name], _MESSAGES[name] // 10) for name in kinds]
    group += [replace(config, twin=True) for config in group if config.system == LIGHT]
    return Study(
        scale="quick" if quick else "full",
        repetitions=2 if quick else 5,
        groups=[group],
        only="system",
        method=METHOD,
        kinds=kinds,
        skipped=skipped,
        judge=judge,
        show=show,
    )


def judge(runs: Sequence[Run], seed: int) -> list[Bar]:
    """Return no bars: this study compares, and asks for nothing."""
    return []


def show(console: Console, bench: Bench) -> None:
    """Print a table for each kind of promise, the strongest first; the fastest system stands on top."""
    select = Select(bench.runs, bench.seed)
    measured = {run.config.system for run in bench.runs}
    promises = {name: each for name, each in bench.promises.items() if name in measured}
    for guarantee, names in by_guarantee(promises).items():
        title = f"{_TITLES[guarantee]}. One message at a time, 100-byte bodies"
        table = report.empty_table(title, "", "µs a message", f"times {LIGHT}", "also promises", "note", left=3)
        cost = {name: select.estimate(select.values(system=name)) for name in names}
        for name in sorted(names, key=lambda name: cost[name] or (float("inf"),)):  # without usable runs: last
            times = select.ratio({"system": name}, {"system": LIGHT})
            also = report.promise_words(promises[name], leave_out=("ack", "lease", "across_threads"))
            ratio = "-" if times is None or name == LIGHT else report.number(times.median)
            table.add_row(name, report.spread(select.values(system=name)), ratio, also, promises[name]["note"])
        console.print(table)
    report.print_end(console, bench)


def by_guarantee(promises: Mapping[str, Mapping[str, object]]) -> dict[tuple[bool, bool], list[str]]:
    """Group systems by what happens to a message whose consumer dies.

    Args:
        promises: What each system promises, by its name: the fields of `Promises`.

    Returns:
        The names of the systems by (ack, lease), the strongest guarantee first; no group is empty.
    """
    groups = {
        guarantee: [name for name, each in promises.items() if (each["ack"], each["lease"]) == guarantee]
        for guarantee in _TITLES
    }
    return {guarantee: names for guarantee, names in groups.items() if names}
