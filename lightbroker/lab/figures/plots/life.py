"""What happens over time: a message's life in swim lanes, depth and memory, one panel for each policy."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lightbroker.core.message import Transition
from lightbroker.lab.figures.plots.frame import (
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    RED,
    SHORT,
    YELLOW,
    Label,
    frame,
    label_ends,
    promise_line,
    short,
    styled,
)

_LANES = ("DEAD", "DELAYED", "LEASED", "READY")  # from the bottom; a message enters at the top
_LANE_COLOURS = {"READY": BLUE, "LEASED": GREEN, "DELAYED": YELLOW, "DEAD": RED}
_REST = 0.06  # of the width: how far a state reaches that has not ended


@styled
def timeline(lives: Mapping[str, Sequence[Transition]], title: str, caption: str) -> Figure:
    """Messages in swim lanes, a panel each, from what `Broker.trace` returned: where it was, when, and why it left."""
    figure, panels = frame(title, caption, rows=len(lives), height=1.3 + 2.5 * len(lives))
    start = min(life[0].time for life in lives.values())
    end = max(life[-1].time for life in lives.values()) - start or 1.0
    for axes, (name, life) in zip(panels, lives.items(), strict=True):
        for step, following in zip(life, [*life[1:], None], strict=True):
            since = step.time - start
            _cross(axes, step, since)
            if step.target in _LANES:
                until = end * (1 + _REST) if following is None else following.time - start
                lane = _LANES.index(step.target)
                axes.plot(
                    [since, until],
                    [lane, lane],
                    color=_LANE_COLOURS[step.target],
                    linewidth=9,
                    solid_capstyle="butt",
                    marker="o",  # a state that was left at once still shows
                    markevery=[0],
                    markersize=9,
                    markeredgewidth=0,
                    zorder=3,
                )
        axes.set_yticks(range(len(_LANES)), [lane.lower() for lane in _LANES])
        axes.set_ylim(-0.6, len(_LANES) - 0.2)
        axes.set_xlim(-0.02 * end, end * (1 + 2.5 * _REST))
        axes.grid(axis="y", visible=False)
        axes.set_title(name, fontsize=12)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.label_outer()
    panels[-1].set_xlabel("seconds")
    return figure


def _cross(axes: Axes, step: Transition, at: float) -> None:
    """The line from lane to lane, and at its end what moved the message; an end outside the lanes is a mark."""
    came = _LANES.index(step.source) if step.source in _LANES else None
    went = _LANES.index(step.target) if step.target in _LANES else None
    text = step.cause
    if step.target == "LEASED":
        text += f", attempt {step.attempt}"
    if went is None:
        place = came if came is not None else len(_LANES) - 1
        axes.plot(at, place, "o", color=GREY, markerfacecolor="white", markersize=9, zorder=4)
        axes.annotate(
            step.target.lower(), (at, place), xytext=(9, 0), textcoords="offset points", va="center", fontsize=10.5
        )
        return
    if came is not None:
        axes.plot([at, at], [came, went], color=GREY, linewidth=1.2, zorder=2)
    # Below the bars from which it can only go up.
    above, side = (-7, "top") if step.target in ("DELAYED", "DEAD") else (8, "baseline")
    axes.annotate(text, (at, went), xytext=(3, above), textcoords="offset points", va=side, fontsize=10.5, color=GREY)


@styled
def depth(
    seconds: ArrayLike,
    depths: Mapping[str, ArrayLike],
    title: str,
    caption: str,
    memory_mb: ArrayLike | None = None,
    capacity: int | None = None,
) -> Figure:
    """How many messages wait over time, by queue or state, and below the memory of the process in MB."""
    figure, (upper, *lower) = frame(title, caption, rows=1 if memory_mb is None else 2)
    at = np.asarray(seconds, dtype=float)
    labels = []
    for (name, values), colour in zip(depths.items(), COLOURS, strict=False):
        found = np.asarray(values, dtype=float)
        upper.plot(at, found, color=colour)
        labels.append(Label(float(at[-1]), float(found[-1]), name, colour))
    upper.set_ylabel("messages")
    upper.set_ylim(0)
    if capacity is not None:
        upper.set_ylim(0, max(upper.get_ylim()[1], capacity * 1.15))
        promise_line(upper, capacity, f"capacity {short(capacity)}")
    panels = [upper, *lower]
    for axes in panels:
        axes.set_xlim(at[0], at[-1] + 0.22 * (at[-1] - at[0]))
        axes.yaxis.set_major_formatter(SHORT)
        axes.label_outer()
    panels[-1].set_xlabel("seconds")
    label_ends(upper, labels)
    if memory_mb is not None:
        found = np.asarray(memory_mb, dtype=float)
        lower[0].plot(at, found, color=GREY)
        lower[0].set_ylabel("memory, MB")
        lower[0].set_ylim(0, float(found.max()) * 1.15)
        label_ends(lower[0], [Label(float(at[-1]), float(found[-1]), f"{short(float(found[-1]))} MB", GREY)])
    return figure


@styled
def small_multiples(
    panels: Mapping[str, Mapping[str, tuple[ArrayLike, ArrayLike]]], title: str, caption: str, ylabel: str
) -> Figure:
    """The same scene in a panel for each policy, on the same axes; the names of the lines stand in the first panel.

    panels: by policy, lines by name, each seconds and values.
    """
    figure, axes = frame(title, caption, columns=len(panels), height=4.6)
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    highest = max(float(np.max(values)) for lines in panels.values() for _, values in lines.values())
    for place, (each, (policy, lines)) in enumerate(zip(axes, panels.items(), strict=True)):
        for name, (seconds, values) in lines.items():
            each.plot(seconds, values, color=COLOURS[names.index(name)], linewidth=2)
        each.set_title(policy, fontsize=12)
        each.set_ylim(0, highest * (1.05 + 0.1 * len(names)))  # room for the names
        each.yaxis.set_major_formatter(SHORT)
        each.tick_params(labelsize=11)
        if place:
            each.tick_params(labelleft=False)
    axes[0].set_ylabel(ylabel)
    axes[len(axes) // 2].set_xlabel("seconds")
    for place, name in enumerate(names):
        axes[0].text(
            0.06,
            0.99 - 0.075 * place,
            name,
            transform=axes[0].transAxes,
            color=COLOURS[place],
            fontsize=11,
            fontweight="bold",
            va="top",
        )
    return figure
