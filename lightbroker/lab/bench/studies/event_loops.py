"""`lightbroker bench --async`: queues in an event loop, and between an event loop and a thread."""

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from lightbroker.lab.bench import report
from lightbroker.lab.bench.bars import Select, weigh
from lightbroker.lab.bench.study import Study
from lightbroker.lab.bench.systems import LIGHT, available
from lightbroker.lab.measure.results import Bar, Bench, Config, Run
from lightbroker.lab.peers.catalogue import NAMES
from lightbroker.lab.peers.event_loops import LOOPS

METHOD = [
    "Every run is a process of its own; its warm-up, a tenth of the messages, goes through a queue of its own and is "
    "discarded. A block holds every configuration, in an order drawn anew for each block.",
    "The cycle is push, pull and ack of one message before the next in one loop, so one is always at hand. Between a "
    "thread and a loop messages go as fast as the slower side lets them, through a queue of 1,000; the time is that "
    "from the first push to the last message settled.",
    "Values are medians over the runs; ratios are paired within a block; intervals are 95 % bootstrap intervals.",
    "Each body carries its number; what was lost, duplicated or unknown is counted after the clock has stopped.",
]
BOUND = 1_000  #: messages, the capacity of a queue between a thread and a loop
_TITLES = {
    "async_cycle": "Push, pull and ack in one event loop, a message at hand: µs a message",
    "thread_to_loop": "From a thread into an event loop: thousand messages/s",
    "loop_to_thread": "From an event loop into a thread: thousand messages/s",
}
_MESSAGES = {"async_cycle": 300_000, "thread_to_loop": 100_000, "loop_to_thread": 100_000}


def study(quick: bool) -> Study:
    """Plan the runs of the systems that an event loop can use, as far as they are installed here."""
    kinds, skipped = available(name for name in NAMES if name in LOOPS)
    groups = []
    for scenario, messages in _MESSAGES.items():
        bound = None if scenario == "async_cycle" else BOUND
        config = Config(scenario, "", messages // (4 if quick else 1), messages // 10, bound)
        group = [
            replace(config, system=name)
            for name in kinds
            if scenario == "async_cycle" or LOOPS[name].promises.across_threads
        ]
        groups.append([*group, replace(config, system=LIGHT, twin=True)])
    return Study(
        scale="quick" if quick else "full",
        repetitions=3 if quick else 10,
        groups=groups,
        only="scenario",
        method=METHOD,
        kinds={name: LOOPS[name] for name in kinds},
        skipped=skipped,
        judge=judge,
        show=show,
    )


def judge(runs: Sequence[Run], seed: int) -> list[Bar]:
    """Return the bars; a bar whose runs were not made says so.

    Args:
        runs: The runs of this study.
        seed: Of the bootstrap that makes the intervals.
    """
    select = Select(runs, seed)

    def against(peer: str, scenario: str, limit: float, *, least: bool) -> Bar:
        found = select.ratio({"system": LIGHT}, {"system": peer}, scenario=scenario)
        return weigh(f"{scenario} / {peer}", limit, "ratio", found, least=least)

    return [
        against("asyncio.Queue", "async_cycle", 3.0, least=False),
        *(
            against(peer, scenario, 1.0, least=True)
            for scenario in ("thread_to_loop", "loop_to_thread")
            for peer in ("janus", "culsans")
        ),
    ]


def show(console: Console, bench: Bench) -> None:
    """Print what each system promises, a table for each scenario, and the bars."""
    select = Select(bench.runs, bench.seed)
    console.print(report.promises_table(bench))
    for scenario, title in _TITLES.items():
        table = report.empty_table(title, "", "", caption=report.RANGE)
        for name in bench.promises:
            values = select.values(scenario=scenario, system=name)
            if values:
                table.add_row(name, report.spread([v if scenario == "async_cycle" else v / 1e3 for v in values]))
        if table.row_count:
            console.print(table)
    report.print_end(console, bench)
