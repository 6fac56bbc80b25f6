"""What `lightbroker demo` prints: its progress, then its report. Needs the extra "demo"."""

import statistics
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lightbroker.core.message import DeadLetter
from lightbroker.core.stats import QueueStats
from lightbroker.watcher import WatcherStats
from lightbroker.watcher.demo import Report

_THOUSANDTHS = {"p50": 500, "p99": 990, "p99.9": 999}


def show_progress(console: Console, progress: Callable[[], tuple[WatcherStats, QueueStats]]) -> Live:
    """Return a context in which one line shows what `progress` returns, redrawn ten times a second."""

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
    """Print the report of a run."""
    watched, queue = report.watched, report.queue
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
        console.print(_letters("Dead letters", report.dead, console.width))


def _facts(title: str, facts: dict[str, object]) -> Table:
    table = Table(title=f"\n{title}", title_justify="left", show_header=False, box=None, min_width=60)
    table.add_column(width=28)
    table.add_column(justify="left", ratio=1)
    for name, value in facts.items():
        table.add_row(name, str(value))
    return table


def _times(title: str, series: dict[str, Sequence[float]]) -> Table:
    table = Table(title=f"\n{title}", title_justify="left", box=None, caption_justify="left", min_width=70)
    table.add_column(width=28)
    for heading in (*_THOUSANDTHS, "highest", "samples"):
        table.add_column(heading, justify="right")
    for name, seconds in series.items():
        cuts = statistics.quantiles(seconds, n=1000, method="inclusive") if len(seconds) > 1 else []
        shown = [f"{cuts[rank - 1] * 1e3:.2f}" for rank in _THOUSANDTHS.values()] if cuts else ["-"] * 3
        table.add_row(name, *shown, f"{max(seconds) * 1e3:.2f}" if seconds else "-", str(len(seconds)))
    table.caption = "With fewer than 10,000 samples for p99, or 100,000 for p99.9, read them as the slowest few."
    return table


def _letters(title: str, letters: Sequence[DeadLetter], width: int) -> Table:
    table = Table(title=f"\n{title}", title_justify="left", box=None)
    for heading, characters in (("block", 6), ("attempts", 8), ("reason", 12)):
        table.add_column(heading, width=characters)
    table.add_column("error", no_wrap=True, overflow="ellipsis", width=max(20, width - 36))
    for letter in letters:
        number = letter.message.json()["number"]
        table.add_row(str(number), str(letter.message.attempts), letter.reason, letter.error.splitlines()[0])
    return table
