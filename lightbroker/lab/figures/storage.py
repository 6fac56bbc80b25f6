"""Durability: how many messages per second each store and its peers pass, grouped by what an answered push survives.

The figure of notebook 08.
"""

from collections.abc import Iterator
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from lightbroker.lab.bench.bars import Select
from lightbroker.lab.bench.studies.storage import cycles_per_second
from lightbroker.lab.bench.systems import (
    LIGHT,
    LIGHT_REDIS,
    LIGHT_SQLITE,
    LIGHT_SQLITE_FULL,
    LITEQUEUE,
    PERSIST_QUEUE,
    QUEUE,
    REDIS_STREAM,
)
from lightbroker.lab.figures.plots.drawing import Drawing
from lightbroker.lab.figures.plots.frame import FAINT, SHORT, caption, frame, short, styled, write_at
from lightbroker.lab.figures.plots.system_rows import name_rows, system_colour
from lightbroker.lab.measure.results import Bench
from lightbroker.lab.measure.stats import Estimate
from lightbroker.lab.scenarios.in_memory import BATCH

#: What an answered push survives, from the least to the most, and the systems for which that is the limit.
SURVIVES = {
    "Nothing: the messages end with their process": (LIGHT, QUEUE),
    "The death of the program, but not of Redis": (LIGHT_REDIS, REDIS_STREAM),
    "The death of any process; a power cut may take the last commits": (LIGHT_SQLITE, LITEQUEUE),
    "A power cut": (LIGHT_SQLITE_FULL, PERSIST_QUEUE, "huey SQLite"),
    "The loss of the machine": (),
}


class Speed(NamedTuple):
    """The throughput of a system in messages/s, one at a time, and in batches if it was measured so."""

    name: str
    single: Estimate
    batches: Estimate | None


def durability(found: Bench) -> Figure:
    """Draw messages/s, one at a time and in batches, in groups by what an answered push survives."""
    select = Select(found.runs, found.seed)
    alone, together = (
        select.ratio({"system": LIGHT_SQLITE_FULL}, {"system": LIGHT_SQLITE}, scenario="process", batch=batch)
        for batch in (1, BATCH)
    )
    if alone is None or together is None:
        raise ValueError(
            f"{LIGHT_SQLITE} and {LIGHT_SQLITE_FULL} must have been measured, one at a time and in batches"
        )
    title = (
        f"Surviving a power cut divides the throughput of SQLite by {alone.median:.2g} if every step is committed "
        f"alone, and by {together.median:.2g} in batches of {BATCH}"
    )
    note = f"one thread, {found.repetitions} runs, 95 % intervals"
    groups = {text: list(_speeds(select, names)) for text, names in SURVIVES.items()}
    return _draw_groups(groups, title, caption(found.machine, note))


def _speeds(select: Select, names: tuple[str, ...]) -> Iterator[Speed]:
    """Yield the throughput of those of the systems that were measured."""
    for name in names:
        single, batches, *_ = map(select.estimate, cycles_per_second(select, name))
        if single is not None:
            yield Speed(name, single, batches)


@styled
def _draw_groups(groups: dict[str, list[Speed]], title: str, text: str) -> Figure:
    """Draw a heading for each group and a row for each of its systems; `text` is the last line of the figure."""
    rows = sum(1 + max(1, len(speeds)) for speeds in groups.values())
    figure, (axes,) = frame(title, text, height=1.8 + 0.33 * rows)
    axes.set_xscale("log")
    place = rows
    names: dict[int, str] = {}
    for heading, speeds in groups.items():
        place -= 1
        axes.axhline(place + 0.48, color="#CCCCCC", linewidth=0.8)
        write_at(
            axes,
            heading,
            (0, place),
            (6, 0),
            share_of_width=True,
            va="center",
            fontsize=12.5,
            fontweight="bold",
            annotation_clip=False,
        )
        for speed in speeds:
            place -= 1
            names[place] = speed.name
            _draw_row(axes, speed, place)
        if not speeds:
            place -= 1
            text = "nothing here: it takes a second machine"
            write_at(axes, text, (0, place), (6, 0), share_of_width=True, va="center", fontsize=12, color=FAINT)
    low = min(speed.single.low for speeds in groups.values() for speed in speeds)
    high = max((speed.batches or speed.single).high for speeds in groups.values() for speed in speeds)
    axes.set_xlim(low * (low / high) ** 0.15, high * (high / low) ** 0.2)
    axes.set_ylim(-0.5, rows - 0.5)
    name_rows(axes, names, fontsize=12)
    axes.xaxis.set_major_formatter(SHORT)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(f"messages/s, log scale: ● one at a time, ◆ in batches of {BATCH}")
    return figure


def _draw_row(axes: Axes, speed: Speed, place: int) -> None:
    """Draw both values with their intervals: one at a time to the left, in batches to the right."""
    colour = system_colour(speed.name)
    if speed.batches is not None:
        span = [speed.single.median, speed.batches.median]
        axes.plot(span, [place, place], color=colour, linewidth=1.2, alpha=0.4, zorder=1)
    for value, marker, side in ((speed.single, "o", -1), (speed.batches, "D", 1)):
        if value is None:
            continue
        axes.plot([value.low, value.high], [place, place], color=colour, linewidth=3.5, alpha=0.45, zorder=2)
        axes.plot(value.median, place, marker, color=colour, markersize=7, zorder=3)
        right = side > 0 or speed.batches is None
        axes.annotate(
            short(value.median),
            (value.high if right else value.low, place),
            xytext=(9 if right else -9, 0),
            textcoords="offset points",
            va="center",
            ha="left" if right else "right",
            color=colour,
            fontsize=11.5,
            fontweight="bold",
        )


DRAWINGS: tuple[Drawing, ...] = (
    Drawing(
        "durability",
        "storage",
        Bench.read,
        durability,
        "Messages/s of each store and its peers, over what an answered push survives.",
        "make bench",
    ),
)
