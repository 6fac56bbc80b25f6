"""What the demo shows on a terminal: how far it is, then its report. Needs the extra "demo"."""

import statistics
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lightbroker.demo import Report
from lightbroker.message import DeadLetter
from lightbroker.storage.base import QueueStats
from lightbroker.watcher import WatcherStats

_THOUSANDTHS = {"p50": 500, "p99": 990, "p99.9": 999}


def show_progress(console: Console, progress: Callable[[], tuple[WatcherStats, QueueStats]]) -> Live:
    """A line that is redrawn ten times a second with the numbers that `progress` returns."""

    def draw() -> Text:
        watched, queue = progress()
        numbers = {
            "heads": watched.heads,
            "reorganisations": watched.reorganisations,
            "ready": queue.ready,
            "leased": queue.leased,
            "delayed": queue.delayed,
            "done": queue.acked,
            "retried": queue.retried,
            "dead": queue.dead,
        }
        return Text.from_markup("  ".join(f"{name} [bold]{number:<4}[/]" for name, number in numbers.items()))

    return Live(get_renderable=draw, console=console, refresh_per_second=10, transient=True)


def show_report(console: Console, report: Report) -> None:
    """Print the outcome of a run."""
    watched, queue = report.watched, report.queue
    console.print()
    console.print(
        _facts(
            "The chain",
            {
                "heads seen": watched.heads,
                "duplicates dropped": watched.duplicates,
                "blocks filled into gaps": watched.filled,
                "reorganisations": watched.reorganisations,
                "blocks added / removed": f"{watched.added} / {watched.removed}",
                "copies on topic chain.heads": report.heard,
            },
        ),
        _facts(
            'Queue "blocks"',
            {
                "accepted": queue.accepted,
                "processed": queue.acked,
                "deliveries retried": queue.retried,
                "dead": queue.dead,
                "messages/s over the run": f"{queue.acked / report.seconds:.0f} in {report.seconds:.1f} s",
                "conservation law": report.law,
            },
        ),
        _times("Time, in milliseconds", {"queue wait": report.samples.waits, "processing": report.samples.checks}),
        sep="\n",
    )
    if report.dead:
        console.print(_letters("Dead letters", report.dead))


def _facts(title: str, facts: dict[str, object]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, box=None, width=72)
    for name, value in facts.items():
        table.add_row(name, str(value))
    table.columns[0].width = 30
    return table


def _times(title: str, series: dict[str, Sequence[float]]) -> Table:
    table = Table("", *_THOUSANDTHS, "highest", "samples", title=title, title_justify="left", box=None)
    for name, seconds in series.items():
        cuts = statistics.quantiles(seconds, n=1000, method="inclusive") if len(seconds) > 1 else []
        shown = [f"{cuts[rank - 1] * 1e3:.2f}" for rank in _THOUSANDTHS.values()] if cuts else ["-"] * 3
        table.add_row(name, *shown, f"{max(seconds) * 1e3:.2f}" if seconds else "-", str(len(seconds)))
    for column in table.columns[1:]:
        column.justify = "right"
    table.caption = "With so few samples p99.9 is little more than the highest."
    table.caption_justify = "left"
    return table


def _letters(title: str, letters: Sequence[DeadLetter]) -> Table:
    table = Table("block", "attempts", "reason", "error", title=title, title_justify="left", box=None)
    for letter in letters:
        number = letter.message.json()["number"]
        table.add_row(str(number), str(letter.message.attempts), letter.reason, letter.error.splitlines()[0])
    return table
