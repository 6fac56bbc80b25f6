"""A queue under overload: without a bound, with each overflow policy, with more or fewer places.

The figures of notebook 03.
"""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter

from lightbroker.lab.figures.plots.drawing import Drawing
from lightbroker.lab.figures.plots.frame import (
    BLUE,
    DURATION,
    FAINT,
    GREEN,
    GREY,
    RED,
    SHORT,
    YELLOW,
    Label,
    caption,
    duration,
    frame,
    label_ends,
    promise_line,
    short,
    styled,
    write_at,
)
from lightbroker.lab.measure.results import Scene

_SIMULATED = "the real queue under a simulated clock"
_GIVES_UP = {  # by policy, what it gives up
    "BLOCK": "gives up: time",
    "REJECT": "new ones, says so",
    "DROP_NEWEST": "new ones, silently",
    "DROP_OLDEST": "old ones, silently",
    "DEAD_LETTER": "nothing, until later",
}


@styled
def unbounded(scene: Scene) -> Figure:
    """Draw the depth of a queue and the memory of its process over time, without a bound and with one."""
    data = scene.data
    runs = {
        "without a bound": (data["unbounded"], RED),
        f"{short(data['capacity'])} places": (data["bounded"], BLUE),
    }
    until, depth, grown = max(data["unbounded"], key=lambda sample: sample[1])
    kept = max(mb for *_, mb in data["bounded"])
    title = (
        f"Without a bound {depth:,} messages and {grown:.0f} MB wait after {until:.1f} s; "
        f"with {short(data['capacity'])} places it is never more than {kept:.1f} MB"
    )
    note = f"{data['rate']:,}/s of {data['bytes'] / 1e3:g} kB to a worker that sleeps 1 ms for each"
    figure, panels = frame(title, caption(scene.machine, note), rows=2, height=5.8)
    end = max(samples[-1][0] for samples, _ in runs.values())
    for column, axes, unit, name in ((1, panels[0], "held", "messages held"), (2, panels[1], "MB", "memory, MB")):
        for samples, colour in runs.values():
            axes.plot(_column(samples, 0), _column(samples, column), color=colour)
        axes.set_ylabel(name)
        axes.set_ylim(0)
        axes.set_xlim(0, end * 1.28)
        axes.yaxis.set_major_formatter(SHORT)
        axes.label_outer()
        labels = [
            Label(end, samples[-1][column], f"{bound}\n{short(max(_column(samples, column)), ' ' + unit)}", colour)
            for bound, (samples, colour) in runs.items()
        ]
        label_ends(axes, labels)
    panels[-1].set_xlabel("seconds")
    return figure


@styled
def policies(scene: Scene) -> Figure:
    """Draw for each policy where messages are over time, and below it how long each took, or that it was lost."""
    found: dict[str, dict[str, Any]] = scene.data["policies"]
    figure, panels = frame(
        _given_up(found, int(scene.data["offered"])),
        caption(scene.machine, f"{_SIMULATED}: 2 messages/ms to one worker that needs 1 ms each"),
        rows=2,
        columns=len(found),
        height=6.4,
    )
    upper, lower = panels[: len(found)], panels[len(found) :]
    end = max(run["course"][-1][0] for run in found.values())
    most = max(max(row[1:]) for run in found.values() for row in run["course"])
    latest = max((latency for run in found.values() for _, latency in run["done"]), default=1.0)
    for above, below, (name, run) in zip(upper, lower, found.items(), strict=True):
        _draw_course(above, run["course"])
        above.set_title(name, fontsize=10.5, loc="left", pad=18)
        gives_up = above.text(0, 1.04, _GIVES_UP.get(name, ""), transform=above.transAxes, fontsize=9, color=FAINT)
        gives_up.set_in_layout(False)
        above.set_xlim(-2, end * 1.03)
        above.set_ylim(0, most * 1.2 or 1.0)
        below.plot(_column(run["done"], 0), _column(run["done"], 1), ".", color=BLUE, markersize=2.5, zorder=3)
        below.plot(run["lost"], [-0.06 * latest] * len(run["lost"]), ".", color=RED, markersize=2.5)
        below.set_ylim(-0.12 * latest, latest * 1.08)
        below.set_xlim(-2, max(run["planned"]) * 1.03)
        if run["lost"]:
            word = "refused" if run["refused"] else "dropped"
            text = f"{len(run['lost'])} {word}"
            below.text(
                0.98, 0.1, text, transform=below.transAxes, fontsize=9.5, fontweight="bold", color=RED, ha="right"
            )
    for axes in panels:
        axes.tick_params(labelsize=9.5)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 5, 10]))
    for axes in (*upper[1:], *lower[1:]):
        axes.tick_params(labelleft=False)
    upper[0].set_ylabel("messages", fontsize=11)
    lower[0].set_ylabel("from planned to done, ms", fontsize=11)
    upper[len(found) // 2].set_xlabel("ms", fontsize=11)
    lower[len(found) // 2].set_xlabel("planned at, ms", fontsize=11)
    return figure


def _draw_course(axes: Axes, course: Sequence[Sequence[float]]) -> None:
    """Draw how many messages are in the queue, dead, and late with the producer; name each line where it is highest.

    Args:
        axes: The panel.
        course: The time in ms and these three numbers, in this order, at each sample.
    """
    at = _column(course, 0)
    queued, dead, late = (_column(course, column) for column in (1, 2, 3))
    alone = not any(late) and not any(dead)
    for values, name, colour in (
        (queued, "in the queue", BLUE),
        (late, "producer", YELLOW),
        (dead, "dead letters", RED),
    ):
        if not any(values):
            continue
        axes.step(at, values, where="post", color=colour, linewidth=1.8)
        highest = max(values)
        inside = values is queued and not alone
        middle = (at[values.index(highest)] + at[len(values) - 1 - values[::-1].index(highest)]) / 2
        text = write_at(
            axes,
            name,
            (0.0 if alone else middle, 0.28 * highest if inside else highest),
            (2 if alone else 0, 0 if inside else 3),
            color=colour,
            fontsize=9,
            fontweight="bold",
            ha="left" if alone else "center",
            va="center" if inside else "bottom",
        )
        text.set_in_layout(False)


def _column(rows: Sequence[Sequence[float]], column: int) -> list[float]:
    return [row[column] for row in rows]


def _given_up(found: dict[str, dict[str, Any]], offered: int) -> str:
    """Return the title: which policies lose no message, which lose some, and how long the other messages take."""
    parts = []
    for losing in (False, True):
        group = {name: run for name, run in found.items() if bool(run["lost"]) is losing}
        if not group:
            continue
        one = len(group) == 1
        worst = max((latency for run in group.values() for _, latency in run["done"]), default=0.0)
        lost = sorted({len(run["lost"]) for run in group.values()})
        who = "the others" if losing and len(group) > 2 else " and ".join(group)
        what = " to ".join(map(str, (lost[0], lost[-1])[: len(lost)])) if losing else f"none of {offered} messages"
        verbs = ("loses", "takes") if one else ("lose", "take")
        parts.append(f"{who} {verbs[0]} {what} and {verbs[1]} up to {worst:.4g} ms")
    return "; ".join(parts)


@styled
def buffer_size(scene: Scene) -> Figure:
    """Draw wait and loss over capacity: lines under a simulated clock, and crosses for real threads."""
    data = scene.data
    rows, measured, limit = data["simulated"], data["measured"], float(data["limit_ms"])
    (few, short_wait, lost_few, _), (many, long_wait, lost_many, _) = rows[0], rows[-1]
    title = (
        f"With {many:,} places instead of {few:,} a message takes {duration(long_wait * 1e3)} instead of "
        f"{duration(short_wait * 1e3)}, and "
    )
    alike = f"as many are lost: {lost_many:.0%}"
    title += alike if lost_many == lost_few else f"{lost_many:.0%} are lost instead of {lost_few:.0%}"
    note = f"lines: {_SIMULATED}, once it is full, at twice the load; crosses: real threads, which sleep 1 ms and a bit"
    figure, (upper, lower) = frame(title, caption(scene.machine, note), rows=2, height=6.4)
    places = [row[0] for row in rows]
    upper.plot(places, [row[1] * 1e3 for row in rows], "o-", color=BLUE)
    upper.plot(_column(measured, 0), [row[1] * 1e3 for row in measured], "x", color=GREY, markersize=9, mew=2)
    upper.set_yscale("log")
    upper.yaxis.set_major_formatter(DURATION)
    upper.set_ylabel("from planned to done")
    promise_line(upper, limit * 1e3, f"after {duration(limit * 1e3)} nobody waits any more")
    lower.plot(places, _column(rows, 2), "o-", color=RED, linewidth=6, markersize=10)  # wide: the green line covers it
    lower.plot(_column(measured, 0), _column(measured, 2), "x", color=GREY, markersize=9, mew=2)
    lower.plot(places, _column(rows, 3), "o-", color=GREEN)
    lower.set_ylim(-0.05, 1.0)
    lower.yaxis.set_major_formatter(PercentFormatter(1.0))
    lower.set_ylabel("of the arrivals")
    lower.set_xlabel("places, log scale")
    for axes in (upper, lower):
        axes.set_xscale("log")
        axes.set_xticks(places)
        axes.set_xlim(places[0] / 1.3, places[-1] * (places[-1] / places[0]) ** 0.24)
        axes.xaxis.set_major_formatter(SHORT)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_locator(NullLocator())
    upper.label_outer()
    for axes, column, scale in ((upper, 1, 1e3), (lower, 2, 1.0)):
        for row in measured[:1]:
            at = (row[0], row[column] * scale)
            text = write_at(axes, "real threads", at, (-10, 6), ha="right", color=GREY, fontsize=11, fontweight="bold")
            text.set_in_layout(False)
    label_ends(upper, [Label(places[-1], long_wait * 1e3, duration(long_wait * 1e3), BLUE)])
    useful = f"done within\n{duration(limit * 1e3)}: {rows[-1][3]:.0%}"
    lost = f"lost: {lost_many:.0%}"
    label_ends(lower, [Label(places[-1], lost_many, lost, RED), Label(places[-1], rows[-1][3], useful, GREEN)])
    return figure


DRAWINGS: tuple[Drawing, ...] = (
    Drawing(
        "unbounded",
        "unbounded",
        Scene.read,
        unbounded,
        "Depth and memory of a queue under overload, without a bound and with one.",
        "make notebooks",
    ),
    Drawing(
        "policies",
        "policies",
        Scene.read,
        policies,
        "What each of the five overflow policies gives up under the same overload.",
        "make notebooks",
    ),
    Drawing(
        "buffer-size",
        "buffer-size",
        Scene.read,
        buffer_size,
        "Wait and loss over the capacity of a queue under overload.",
        "make notebooks",
    ),
)
