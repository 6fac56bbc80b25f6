"""The block watcher: the chain with its abandoned blocks above the queue that it feeds, and the dashboard of a run.

The figures of notebook 05.
"""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from lightbroker.lab.figures.plots.drawing import Drawing
from lightbroker.lab.figures.plots.frame import (
    BLUE,
    DURATION,
    FAINT,
    GREEN,
    GREY,
    RED,
    YELLOW,
    Label,
    caption,
    dashed_line,
    duration,
    frame,
    label_ends,
    styled,
    write_at,
)
from lightbroker.lab.measure.results import Scene

_ROOM = 1.24  # times the width, so that the names have room at the right end
_CANONICAL, _ABANDONED = 0.0, -1.0  # the heights of the two lanes


@styled
def chain_reorg(scene: Scene) -> Figure:
    """Draw the blocks at the time when they were queued, in a lane for the chain and one for abandoned blocks.

    The panels below have the same axis: how many messages the queue held, and how long each waited.
    """
    data = scene.data
    gone = sum(abandoned for *_, abandoned in data["blocks"])
    longest, inside = (max((wait for _, wait in data[name]), default=0.0) for name in ("since_head", "in_queue"))
    title = (
        f"A burst of {data['burst']} heads meets a queue of {data['capacity']}: blocks wait up to "
        f"{duration(1e3 * longest)}, in the queue up to {duration(1e3 * inside)}; {gone} are abandoned, "
        f"{data['lost'] or 'none'} lost"
    )
    note = f"a recorded local chain at {data['speed']:g} times its speed"
    figure, (tree, depth, wait) = frame(title, caption(scene.machine, note), rows=3, height=7.6)
    tree.get_gridspec().set_height_ratios([1.0, 1.4, 1.5])  # type: ignore[union-attr]
    _draw_tree(tree, data["blocks"])
    burst = f"{data['burst']} heads in a burst"
    write_at(tree, burst, (data["burst_at"], _CANONICAL), (0, 12), fontsize=11, color=GREY)
    depth.step(*_columns(data["depth"]), where="post", color=BLUE)
    depth.set_ylim(0, data["capacity"] * 1.25)
    depth.set_ylabel("messages held")
    dashed_line(depth, data["capacity"])
    write_at(
        depth,
        f"capacity {data['capacity']}",
        (1, data["capacity"]),
        (0, 4),
        share_of_width=True,
        ha="right",
        color=FAINT,
        fontsize=11,
    )
    labels = []
    for name, text, colour in (("since_head", "since the\nhead", RED), ("in_queue", "in the\nqueue", BLUE)):
        wait.plot(*_columns(data[name]), "o", color=colour, markersize=4, alpha=0.8, markeredgewidth=0)
        height = max((each for _, each in data[name]), default=0.0)
        labels.append(Label(data["seconds"], height, f"{text}, max\n{duration(1e3 * height)}", colour))
    wait.set_ylim(0, max(longest, inside, 1.0) * 1.15)
    wait.set_ylabel("wait, ms")
    wait.set_xlabel("seconds of the replay")
    for axes in (tree, depth, wait):
        axes.set_xlim(0, data["seconds"] * _ROOM)
        axes.label_outer()
    label_ends(wait, labels)
    return figure


def _draw_tree(axes: Axes, blocks: Sequence[Sequence[Any]]) -> None:
    """Draw a square for each block, and a line to its parent.

    Args:
        axes: The panel.
        blocks: Of each: the seconds of the replay, its hash, the hash of its parent, whether it was abandoned.
    """
    places = {digest: (at, _ABANDONED if abandoned else _CANONICAL) for at, digest, _, abandoned in blocks}
    for at, digest, parent, abandoned in blocks:
        if parent in places:
            xs, ys = zip(places[parent], places[digest], strict=True)
            axes.plot(xs, ys, color=RED if abandoned else GREY, linewidth=1.2, zorder=2)
        lane = places[digest][1]
        axes.plot(at, lane, "s", color=RED if abandoned else BLUE, markersize=4.6, markeredgewidth=0, zorder=3)
    axes.set_ylim(-1.6, 1.2)
    axes.set_yticks([_CANONICAL, _ABANDONED], ["the chain", "abandoned"])
    for label, colour in zip(axes.get_yticklabels(), (BLUE, RED), strict=True):
        label.set_color(colour)
        label.set_fontweight("bold")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)


def _columns(points: Sequence[Sequence[float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


@styled
def run_dashboard(scene: Scene) -> Figure:
    """Draw what the watcher met, what became of its messages, and how long they waited."""
    data = scene.data
    acked: list[list[int]] = data["acked"]
    at_once = sum(count for attempt, count in acked if attempt == 1)
    later = sum(count for attempt, count in acked if attempt > 1)
    total = at_once + later + data["dead"] + data["lost"]
    title = (
        f"{total} messages: {at_once} done at the first attempt, {later} after a retry, {data['dead']} dead letters, "
        f"{data['lost'] or 'none'} lost"
    )
    note = f"{data['workers']} workers, capacity {data['capacity']}, at {data['speed']:g} times its speed"
    figure, (events, outcomes, waits) = frame(title, caption(scene.machine, note), columns=3, height=4.6)
    names = ("heads", "duplicates", "filled", "reorganisations", "added", "removed")
    events.get_gridspec().set_width_ratios([1.0, 1.0, 1.25])  # type: ignore[union-attr]
    events.set_title("what the watcher met")
    _draw_counts(events, [(name, data[name], RED if name == "removed" else BLUE) for name in names])
    outcomes.set_title("what became of it")
    shown = [(f"acked, attempt {attempt}", count, GREEN if attempt == 1 else YELLOW) for attempt, count in acked]
    _draw_counts(outcomes, [*shown, ("dead letters", data["dead"], RED), ("lost", data["lost"], RED)])
    waits.set_title("how long it waited")
    _draw_waits(waits, data["waits"])
    return figure


def _draw_counts(axes: Axes, rows: Sequence[tuple[str, int, str]]) -> None:
    """Draw a bar with its number for each row, from the top: name, number, colour."""
    highest = max(1, *(count for _, count, _ in rows))
    for place, (_, count, colour) in enumerate(reversed(rows)):
        axes.barh(place, count, height=0.62, color=colour)
        write_at(axes, f"{count}", (count, place), (5, 0), va="center", fontsize=12, fontweight="bold")
    axes.set_yticks(range(len(rows)), [name for name, _, _ in reversed(rows)], fontsize=11)
    axes.set_xlim(0, highest * 1.35)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)


def _draw_waits(axes: Axes, waits: dict[str, dict[str, float | None]]) -> None:
    """Draw percentiles as dots, in a row for each; a percentile that the sample does not support is left out.

    Args:
        axes: The panel.
        waits: By name, by percentile: ms.
    """
    rows = ["50", "75", "max"]
    labels = {"50": "p50", "75": "p75", "max": "max"}
    for (name, found), colour in zip(waits.items(), (BLUE, RED), strict=False):
        lift = 0.16 if colour == BLUE else -0.16
        for place, row in enumerate(reversed(rows)):
            value = found.get(row)
            if value is None:
                continue
            microseconds = max(1.0, 1e3 * value)
            axes.plot(microseconds, place + lift, "o", color=colour, markersize=8)
            at = (microseconds, place + lift)
            write_at(axes, duration(microseconds), at, (7, 0), va="center", fontsize=11, color=colour)
        height = 0.93 if colour == BLUE else 0.86
        axes.text(0.04, height, name, transform=axes.transAxes, color=colour, fontsize=12, fontweight="bold")
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xlim(low / 1.3, high * (high / low) ** 0.6)
    axes.set_ylim(-0.6, 3.2)  # room for the names
    axes.set_yticks(range(len(rows)), [labels[row] for row in reversed(rows)])
    axes.xaxis.set_major_formatter(DURATION)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=10, labelcolor=FAINT)
    axes.grid(axis="y", visible=False)


DRAWINGS = (
    Drawing(
        "chain-reorg",
        "chain-reorg",
        Scene.read,
        chain_reorg,
        "Blocks with the abandoned ones, above queue depth and wait through the burst.",
        "make notebooks",
    ),
    Drawing(
        "run-dashboard",
        "run-dashboard",
        Scene.read,
        run_dashboard,
        "A run of the watcher: what it met, what became of it, how long it waited.",
        "make notebooks",
    ),
)
