"""Subscribers, slow and fast: which message reached whom and how late, by the overflow policy of the slow one.

The figures of notebook 02.
"""

from collections.abc import Sequence
from statistics import median

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lightbroker.lab.figures.plots.drawing import Drawing
from lightbroker.lab.figures.plots.frame import BLUE, DARK, FAINT, RED, caption, dashed_line, duration, frame, styled
from lightbroker.lab.measure.results import Scene

_COLOURS = {"slow": RED, "fast": BLUE}  # of the subscribers
_LAST = 0.9  # of the time; the rest counts as the end


def at_the_end(points: Sequence[Sequence[float]], seconds: float) -> float:
    """Return the median lag, in seconds, in the last tenth of the time.

    Without points in the last tenth it is the lag of the last point, and without any points it is 0.

    Args:
        points: Time and lag, in seconds.
        seconds: The whole time.
    """
    return median([lag for at, lag in points if at > _LAST * seconds] or [lag for _, lag in points[-1:]] or [0.0])


@styled
def delivery_matrix(scene: Scene) -> Figure:
    """Draw how late each head reached the slow and the fast subscriber, a panel for each policy."""
    found: dict[str, dict[str, list[float | None]]] = scene.data["late"]
    blocking = scene.data["blocking"]
    heads = max(len(row) for rows in found.values() for row in rows.values())
    others = [rows for name, rows in found.items() if name != blocking]
    kept = sorted({_heard(rows["slow"]) for rows in others})
    title = (
        f"{blocking}: the slow subscriber gets {_heard(found[blocking]['slow'])} of {heads} heads, and the fast one's "
        f"are up to {_latest([found[blocking]['fast']]):g} s late. "
        f"The others: {'–'.join(dict.fromkeys(map(str, (kept[0], kept[-1]))))} of {heads}, and "
        f"{_latest([rows['fast'] for rows in others]):g} s"
    )
    note = "simulated (manual clock); in each cell: seconds late, × lost"
    figure, panels = frame(title, caption(scene.machine, note), rows=len(found), height=1.8 + 0.95 * len(found))
    highest = max(1.0, _latest([row for rows in found.values() for row in rows.values()]))
    for axes, (policy, rows) in zip(panels, found.items(), strict=True):
        grid = np.ma.masked_invalid(np.array([[np.nan if late is None else late for late in rows[n]] for n in rows]))
        axes.imshow(grid, cmap="YlGnBu", vmin=0, vmax=highest * 1.25, aspect="auto")
        for y, row in enumerate(rows.values()):
            for x, late in enumerate(row):
                dark = late is not None and late > 0.68 * highest
                axes.text(
                    x,
                    y,
                    "×" if late is None else f"{late:g}",
                    ha="center",
                    va="center",
                    fontsize=11,
                    fontweight="bold" if late is None else "normal",
                    color=RED if late is None else "white" if dark else DARK,
                )
        axes.set_title(policy, fontsize=12)
        axes.set_yticks(range(len(rows)), list(rows))
        axes.set_xticks(range(heads), [str(head) for head in range(heads)])
        axes.set_xticks(np.arange(heads - 1) + 0.5, minor=True)
        axes.set_yticks(np.arange(len(rows) - 1) + 0.5, minor=True)
        axes.grid(False)
        axes.grid(which="minor", color="white", linewidth=1.5)
        axes.tick_params(which="both", length=0)
        axes.spines[:].set_visible(False)
        axes.label_outer()
    panels[-1].set_xlabel("head, one planned each second")
    return figure


def _heard(row: Sequence[float | None]) -> int:
    """Return how many heads reached a subscriber."""
    return sum(late is not None for late in row)


def _latest(rows: Sequence[Sequence[float | None]]) -> float:
    """Return by how many seconds the latest head was late."""
    return max((late for row in rows for late in row if late is not None), default=0.0)


@styled
def slow_subscriber(scene: Scene) -> Figure:
    """Draw how far a slow and a fast subscriber are behind the plan, over time, a panel for each policy."""
    runs, seconds, blocking = scene.data["runs"], float(scene.data["seconds"]), scene.data["blocking"]
    dragged = at_the_end(runs[blocking]["fast"], seconds)
    losing = [run for name, run in runs.items() if name in scene.data["losing"]]
    free = max(at_the_end(run["fast"], seconds) for run in losing)
    title = (
        f"{blocking} makes the fast subscriber {duration(dragged * 1e6)} late within {seconds:g} s; "
        f"where the slow one may lose, the fast one's median lag is at most {duration(free * 1e6)}"
    )
    note = (
        f"{scene.data['rate']:g} heads/s planned, {duration(scene.data['work'] * 1e6)} of work with each in the slow "
        f"subscriber, its buffer {scene.data['capacity']}; lag from the planned time, numbers: median of the last tenth"
    )
    figure, panels = frame(title, caption(scene.machine, note), columns=len(runs), height=4.5)
    highest = max([lag for run in runs.values() for who in _COLOURS for _, lag in run[who]] + [1e-6])
    for place, (axes, (name, run)) in enumerate(zip(panels, runs.items(), strict=True)):
        for (who, colour), width in zip(_COLOURS.items(), (4.5, 2.0), strict=True):  # the fast one lies on top
            if run[who]:
                axes.plot(*zip(*run[who], strict=True), color=colour, linewidth=width)
        if run["expected"] is not None:
            dashed_line(axes, run["expected"], DARK, zorder=3)
        readouts = [
            (f"{who} {duration(at_the_end(run[who], seconds) * 1e6)}", colour) for who, colour in _COLOURS.items()
        ]
        lost = run["lost"] / max(1, run["published"])
        for line, (text, colour) in enumerate([*readouts, (f"slow loses {lost:.0%}", FAINT)]):
            axes.text(
                0.05,
                0.99 - 0.07 * line,
                text,
                transform=axes.transAxes,
                color=colour,
                fontsize=11,
                fontweight="bold",
                va="top",
            )
        axes.set_title(name, fontsize=12)
        axes.set_xlim(0, seconds)
        axes.set_ylim(-0.015 * highest, highest * 1.38)  # room for the numbers
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.tick_params(labelsize=11)
        if place:
            axes.tick_params(labelleft=False)
    panels[0].set_ylabel("seconds behind the plan")
    panels[len(panels) // 2].set_xlabel("seconds (dashed: what capacity and rates predict)")
    return figure


DRAWINGS: tuple[Drawing, ...] = (
    Drawing(
        "delivery-matrix",
        "delivery-matrix",
        Scene.read,
        delivery_matrix,
        "Which message reached a slow and a fast subscriber, and how late, under each policy (simulated).",
        "make notebooks",
    ),
    Drawing(
        "slow-subscriber",
        "slow-subscriber",
        Scene.read,
        slow_subscriber,
        "How far a slow and a fast subscriber fall behind, with callbacks and under each policy.",
        "make notebooks",
    ),
)
