"""The figure of page 08: how many messages a second each setting passes, grouped by what they survive."""

from collections.abc import Iterator
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from lightbroker.lab.bench.bars import Select
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
from lightbroker.lab.figures.plots.frame import BLUE, FAINT, GREY, SHORT, caption, frame, short, styled
from lightbroker.lab.measure.results import Bench
from lightbroker.lab.measure.stats import Estimate
from lightbroker.lab.scenarios.catalogue import BATCH

#: From the least to the most that an answered push survives, and the systems that survive no more than that.
SURVIVES = {
    "Nothing: the messages end with their process": (LIGHT, QUEUE),
    "The death of the program, but not of Redis": (LIGHT_REDIS, REDIS_STREAM),
    "The death of any process; a power cut may take the last commits": (LIGHT_SQLITE, LITEQUEUE),
    "A power cut": (LIGHT_SQLITE_FULL, PERSIST_QUEUE, "huey SQLite"),
    "The loss of the machine": (),
}


class Speed(NamedTuple):
    """Messages/s of a system, one at a time and in batches where it has any."""

    name: str
    single: Estimate
    batches: Estimate | None


def durability(found: Bench) -> Figure:
    """Messages/s, one at a time and in batches, over what they survive."""
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
    return _rows({text: list(_speeds(select, names)) for text, names in SURVIVES.items()}, title, found, note)


def _speeds(select: Select, names: tuple[str, ...]) -> Iterator[Speed]:
    """Of those that were measured."""

    def rate(name: str, batch: int) -> Estimate | None:
        values = select.values(scenario="process", system=name, batch=batch)
        return select.estimate([1e6 / value for value in values])

    for name in names:
        single = rate(name, 1)
        if single is not None:
            yield Speed(name, single, rate(name, BATCH))


@styled
def _rows(groups: dict[str, list[Speed]], title: str, found: Bench, note: str) -> Figure:
    rows = sum(1 + max(1, len(speeds)) for speeds in groups.values())
    figure, (axes,) = frame(title, caption(found.machine, note), height=1.8 + 0.33 * rows)
    axes.set_xscale("log")
    place = rows
    ticks: dict[int, str] = {}
    for text, speeds in groups.items():
        place -= 1
        axes.axhline(place + 0.48, color="#CCCCCC", linewidth=0.8)
        axes.annotate(
            text,
            (0, place),
            xycoords=axes.get_yaxis_transform(),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=12.5,
            fontweight="bold",
            annotation_clip=False,
        )
        for speed in speeds:
            place -= 1
            ticks[place] = speed.name
            _row(axes, speed, place)
        if not speeds:
            place -= 1
            axes.annotate(
                "nothing here: it takes a second machine",
                (0, place),
                xycoords=axes.get_yaxis_transform(),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                fontsize=12,
                color=FAINT,
            )
    low = min(speed.single.low for speeds in groups.values() for speed in speeds)
    high = max((speed.batches or speed.single).high for speeds in groups.values() for speed in speeds)
    axes.set_xlim(low * (low / high) ** 0.15, high * (high / low) ** 0.2)
    axes.set_ylim(-0.5, rows - 0.5)
    axes.set_yticks(list(ticks), list(ticks.values()))
    for label, name in zip(axes.get_yticklabels(), ticks.values(), strict=True):
        label.set_color(_colour(name))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.xaxis.set_major_formatter(SHORT)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(f"messages/s, log scale: ● one at a time, ◆ in batches of {BATCH}")
    return figure


def _row(axes: Axes, speed: Speed, place: int) -> None:
    colour = _colour(speed.name)
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


def _colour(name: str) -> str:
    return BLUE if name.startswith(LIGHT) else GREY


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
