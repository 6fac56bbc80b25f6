"""The figures of notebook 04: four ways to retry after an outage, where attempts end, the life of a poison block."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from lightbroker.core.message import Transition
from lightbroker.lab.figures.plots.drawing import Drawing
from lightbroker.lab.figures.plots.frame import (
    BLUE,
    FAINT,
    GREY,
    RED,
    SHORT,
    caption,
    frame,
    promise_line,
    short,
    styled,
)
from lightbroker.lab.figures.plots.life import timeline
from lightbroker.lab.measure.results import Scene

_LEAST = 0.7  # where a logarithmic axis of counts begins, a little below one


@styled
def storm(scene: Scene) -> Figure:
    """Calls that arrive at a dependency over time, a panel for each strategy; red where it cannot serve them all."""
    data = scene.data
    runs, width, capacity = data["runs"], float(data["bin"]), float(data["capacity"])
    shown, outage = float(data["shown"]), float(data["outage"])
    title = f"A simulated outage of {outage:g} s: {_outcome(data, 0)}; {_outcome(data, -1)}"
    note = f"simulated, {data['clients']:,} clients, manual clock"
    figure, panels = frame(title, caption(scene.machine, note), rows=len(runs), height=1.2 + 1.75 * len(runs))
    most = max(max(run["arrivals"], default=0) for run in runs)
    for axes, run in zip(panels, runs, strict=True):
        arrivals = np.asarray(run["arrivals"], dtype=float)[: round(shown / width)]
        starts = width * np.arange(len(arrivals))
        colours = np.where(arrivals > capacity, RED, BLUE)
        axes.set_yscale("log")
        axes.set_ylim(_LEAST, max(most, capacity) * 12)  # first, for there may be nothing to scale it by
        axes.axvspan(0, outage, color="#E8E8E8", zorder=0)
        some = arrivals > 0
        axes.bar(starts[some], arrivals[some], width, align="edge", color=colours[some], linewidth=0)
        axes.axhline(capacity, color=FAINT, linestyle=(0, (5, 4)), linewidth=1.3, zorder=3)
        axes.set_yticks([1, 10, 100, 1000])
        axes.set_xlim(0, shown)
        axes.yaxis.set_major_formatter(SHORT)
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.grid(axis="x", visible=False)
        axes.label_outer()
        text = f"{sum(run['arrivals']):,} calls; {_answered(data, run)}"
        for x, align, words, weight in ((0.075, "left", run["name"], "bold"), (1, "right", text, "normal")):
            axes.text(x, 0.86, words, transform=axes.transAxes, ha=align, va="center", fontsize=11.5, fontweight=weight)
    panels[-1].annotate(
        f"it can serve {short(capacity)}",
        (shown, capacity),
        xytext=(-2, 4),
        textcoords="offset points",
        ha="right",
        fontsize=10.5,
        color=FAINT,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1},
        zorder=4,
    )
    panels[-1].set_xlabel("seconds; the outage is grey, and orange is more than it can serve")
    figure.supylabel(f"calls that arrive in {width * 1e3:g} ms, log scale", fontsize=12, color="#444444")
    return figure


def _answered(data: dict[str, Any], run: dict[str, Any]) -> str:
    if run["answered"] < data["clients"]:
        return f"{run['answered']:,} of {data['clients']:,} clients answered in {_length(data, run):g} s"
    return f"all clients answered after {run['last']:.3g} s"


def _length(data: dict[str, Any], run: dict[str, Any]) -> float:
    return float(round(len(run["arrivals"]) * data["bin"], 6))


def _outcome(data: dict[str, Any], place: int) -> str:
    run, clients = data["runs"][place], data["clients"]
    if run["answered"] < clients:
        found = f"{run['answered']:,} of {clients:,} clients"
        return f"{run['phrase']}, {found} are answered within {_length(data, run):g} s"
    return f"{run['phrase']}, all are within {run['last']:.3g} s"


@styled
def attempts(scene: Scene) -> Figure:
    """Left: the share that is acked at each attempt, and what is left over. Right: that rest in other situations."""
    data = scene.data
    p, counts, dead, messages = float(data["p"]), data["acked"], int(data["dead"]), int(data["messages"])
    cases = data["cases"]
    worst = max(cases, key=lambda case: case["dead"] / case["messages"])
    share = worst["dead"] / worst["messages"]
    title = (
        f"{_percent(p)} of the calls fail, {len(counts)} attempts: {_percent(dead / messages)} end dead if failures "
        f"are independent, {_percent(share)} {worst['name']}"
    )
    note = f"manual clock, seeded; n = {short(messages)}, in outages {short(min(case['messages'] for case in cases))}"
    figure, (left, right) = frame(title, caption(scene.machine, note), columns=2)
    names = [*(f"acked\nat {at}" for at in range(1, len(counts) + 1)), "dead"]
    found = [*counts, dead]
    theory = [*(p**at * (1 - p) for at in range(len(counts))), p ** len(counts)]
    floor = min([*theory, *(max(1, each) / messages for each in found)]) / 4
    for place, (count, law, (low, high)) in enumerate(zip(found, theory, data["intervals"], strict=True)):
        colour = RED if place == len(counts) else BLUE
        left.bar(place, max(count / messages, floor), 0.62, color=colour)
        left.plot([place, place], [max(low, floor), max(high, floor)], color="#222222", linewidth=1.6, zorder=6)
        left.plot(place, law, "D", color="white", markeredgecolor="#222222", markersize=6, zorder=5)
        _above(left, place, max(count / messages, high, law, floor), _percent(count / messages))
    left.set_yscale("log")
    left.set_ylim(floor, 4)
    left.set_xlim(-0.6, len(found) - 0.4)
    left.set_xticks(range(len(found)), names, fontsize=10.5)
    left.set_title("independent failures", fontsize=12)
    left.text(
        0.98,
        0.97,
        "◇ theory, lines: 95 % interval",
        transform=left.transAxes,
        ha="right",
        va="top",
        fontsize=10.5,
        color=GREY,
    )
    left.set_ylabel("share of the messages, log scale", fontsize=12)
    _cases(right, cases, p ** len(counts), floor)
    right.set_title("dead, by how failures come", fontsize=12)
    for axes in (left, right):
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _percent(value)))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(axis="y", labelsize=10.5)
        axes.grid(axis="x", visible=False)
    return figure


def _cases(axes: Axes, cases: Sequence[dict[str, Any]], law: float, floor: float) -> None:
    for place, case in enumerate(cases):
        share = case["dead"] / case["messages"]
        axes.bar(place, max(share, floor), 0.62, color=RED)
        _above(axes, place, max(share, floor), _percent(share) if case["dead"] else f"0 of {short(case['messages'])}")
    promise_line(axes, law, "")
    axes.annotate(
        "theory",
        (1, law),
        xycoords=axes.get_yaxis_transform(),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        color=FAINT,
        fontsize=10.5,
    )
    axes.set_yscale("log")
    axes.set_ylim(floor, 4)
    axes.set_xlim(-0.6, len(cases) - 0.4)
    axes.set_xticks(range(len(cases)), [case["label"] for case in cases], fontsize=10.5)


def _above(axes: Axes, x: float, y: float, text: str) -> None:
    axes.annotate(
        text,
        (x, y),
        xytext=(0, 7),
        textcoords="offset points",
        ha="center",
        fontsize=10.5,
        fontweight="bold",
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.6},
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g}%" if share < 0.9995 else f"{100 * share:.3g}%"


@styled
def poison(scene: Scene) -> Figure:
    """A block that kills its workers, from what `Broker.trace` told: dead, redriven and done."""
    steps = [Transition(*step) for step in scene.data["life"]]
    dead = next((place for place, step in enumerate(steps) if step.target == "DEAD"), len(steps))
    killed = sum(step.target == "LEASED" for step in steps[:dead])
    title = f"A poison block takes {killed} worker{'s' * (killed != 1)} with it"
    if dead < len(steps):
        title += f"; after {steps[dead].time - steps[0].time:g} s it is a dead letter"
    if steps[-1].target == "acked":
        title += f", and after the fix it is acked at attempt {steps[-1].attempt}"
    name = f"one block, leased for {float(scene.data['lease']):g} s, {int(scene.data['most'])} attempts"
    return timeline({name: steps}, title, caption(scene.machine, "manual clock"))


DRAWINGS: tuple[Drawing, ...] = (
    Drawing(
        "retry-storm",
        "retry-storm",
        Scene.read,
        storm,
        "Calls that arrive at a dependency after an outage, for four ways to retry, simulated.",
        "make notebooks",
    ),
    Drawing(
        "attempts",
        "attempts",
        Scene.read,
        attempts,
        "At which attempt messages are acked and how many end dead, beside p^k and in outages.",
        "make notebooks",
    ),
    Drawing(
        "poison-life",
        "poison-life",
        Scene.read,
        poison,
        "The life of a block that kills its workers, until it is redriven.",
        "make notebooks",
    ),
)
