"""`lightbroker bench --peers`: LightBroker beside what people use instead, grouped by what becomes of a message."""

from collections.abc import Iterator
from dataclasses import replace

from rich.console import Console

from lightbroker.lab.bench import report
from lightbroker.lab.bench.bars import Select
from lightbroker.lab.bench.plan import LIGHT
from lightbroker.lab.bench.study import Study, available
from lightbroker.lab.measure.results import Bench, Config
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

#: So many that a run takes about a second, and still three tenths of one on a machine that is several times faster.
_MESSAGES = {
    LIGHT: 500_000,
    "LightBroker SQLite": 12_000,
    "LightBroker SQLite FULL": 1_200,
    "LightBroker Redis": 4_000,
    "queue.SimpleQueue": 4_000_000,
    "queue.Queue": 500_000,
    "asyncio.Queue": 1_200_000,
    "janus": 800_000,
    "culsans": 400_000,
    "huey memory": 60_000,
    "huey SQLite": 1_200,
    "huey Redis": 4_000,
    "dramatiq stub": 40_000,
    "dramatiq Redis": 4_000,
    "kombu memory": 40_000,
    "litequeue": 10_000,
    "persist-queue": 1_200,
    "Redis list": 8_000,
    "Redis stream": 5_000,
    "NATS core": 8_000,
    "NATS JetStream": 4_000,
    "beanstalkd": 12_000,
    "RabbitMQ": 3_000,
}


def study(quick: bool) -> Study:
    """Every peer that is installed here, one message at a time."""
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
        judge=lambda runs, seed: [],
        show=show,
    )


def show(console: Console, bench: Bench) -> None:
    """One table for each kind of promise, the strongest first."""
    select = Select(bench.runs, bench.seed)
    for title, names in _groups(bench):
        table = report.empty_table(title, "", "µs a message", f"times {LIGHT}", "also promises", "note", left=3)
        cost = {name: select.estimate(select.values(system=name)) for name in names}
        for name in sorted(names, key=lambda name: cost[name] or (float("inf"),)):
            times = select.ratio({"system": name}, {"system": LIGHT})
            promises = bench.promises[name]
            also = report.words(promises, leave_out=("ack", "lease", "across_threads"))
            ratio = "-" if times is None or name == LIGHT else report.number(times.median)
            table.add_row(name, report.spread(select.values(system=name)), ratio, also, promises["note"])
        console.print(table)
    report.close(console, bench)


def _groups(bench: Bench) -> Iterator[tuple[str, list[str]]]:
    measured = {run.config.system for run in bench.runs}
    for title, ack, lease in (
        ("A lease: what a dead consumer took is delivered again", True, True),
        ("An ack, no lease: what a dead consumer took is kept, and has to be freed", True, False),
        ("Neither: what a dead consumer took is gone", False, False),
    ):
        names = [
            name
            for name, promises in bench.promises.items()
            if name in measured and (promises["ack"], promises["lease"]) == (ack, lease)
        ]
        if names:
            yield f"{title}. One message at a time, 100-byte bodies", names
