"""What happens to a message that fails: its life, four ways to retry after an outage, at which attempt it ends.

The figures of notebook 04, and `message_life` of notebook 01.
"""

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
    DARK,
    FAINT,
    GREY,
    RED,
    SHORT,
    caption,
    dashed_line,
    frame,
    short,
    styled,
    write_at,
)
from lightbroker.lab.figures.plots.timeline import draw_timeline
from lightbroker.lab.measure.results import Scene

_LEAST = 0.7  # where a logarithmic axis of counts begins, a little below one


@styled
def message_life(scene: Scene) -> Figure:
    """Draw the life of a message whose first worker falls silent, and mark its late ack."""
    steps = [Transition(*step) for step in scene.data["life"]]
    silent, refused = float(scene.data["silent"]), float(scene.data["refused"])
    again = [step for step in steps if step.target == "LEASED" and step.time > silent]
    acks = sum(step.target == "acked" for step in steps)
    title = f"The first worker falls silent at {silent:g} s; "
    if again:
        title += f"{again[0].time - silent:g} s later another has the message, and it is acked {_times(acks)}"
    else:
        title += f"nobody else has the message yet, and it is acked {_times(acks)}"
    name = f"one message, leased for {float(scene.data['lease']):g} s"
    figure = draw_timeline(steps, name, title, caption(scene.machine, "manual clock"))
    axes = figure.axes[0]
    lane = [label.get_text() for label in axes.get_yticklabels()].index("leased")
    for seconds, text, align, right in (
        (silent, "worker 1 falls silent", "center", 0),
        (refused, "its late ack:\nLeaseLost", "left", 16),  # to the right of the text that says that the lease expired
    ):
        at = seconds - steps[0].time
        axes.plot(at, lane, "X", color=RED, markeredgecolor="white", markersize=12, zorder=5)
        write_at(axes, text, (at, lane), (right, -10), ha=align, va="top", color=RED, fontsize=10.5, fontweight="bold")
    return figure


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")


@styled
def retry_storm(scene: Scene) -> Figure:
    """Draw the calls that arrive at a dependency over time, a panel for each strategy.

    Bars are orange where more calls arrive than the dependency can serve.
    """
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
        axes.set_ylim(_LEAST, max(most, capacity) * 12)  # without bars, matplotlib could not choose limits
        axes.axvspan(0, outage, color="#E8E8E8", zorder=0)
        some = arrivals > 0
        axes.bar(starts[some], arrivals[some], width, align="edge", color=colours[some], linewidth=0)
        dashed_line(axes, capacity, zorder=3)
        axes.set_yticks([1, 10, 100, 1000])
        axes.set_xlim(0, shown)
        axes.yaxis.set_major_formatter(SHORT)
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.grid(axis="x", visible=False)
        axes.label_outer()
        text = f"{sum(run['arrivals']):,} calls; {_answered(data, run)}"
        for x, align, words, weight in ((0.075, "left", run["name"], "bold"), (1, "right", text, "normal")):
            axes.text(x, 0.86, words, transform=axes.transAxes, ha=align, va="center", fontsize=11.5, fontweight=weight)
    write_at(
        panels[-1],
        f"it can serve {short(capacity)}",
        (shown, capacity),
        (-2, 4),
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
    """Return how many clients were answered, for the panel of a strategy."""
    if run["answered"] < data["clients"]:
        return f"{run['answered']:,} of {data['clients']:,} clients answered in {_length(data, run):g} s"
    return f"all clients answered after {run['last']:.3g} s"


def _length(data: dict[str, Any], run: dict[str, Any]) -> float:
    """Return how many seconds were simulated."""
    return float(round(len(run["arrivals"]) * data["bin"], 6))


def _outcome(data: dict[str, Any], place: int) -> str:
    """Return how many clients were answered with the strategy at that place, for the title."""
    run, clients = data["runs"][place], data["clients"]
    if run["answered"] < clients:
        found = f"{run['answered']:,} of {clients:,} clients"
        return f"{run['phrase']}, {found} are answered within {_length(data, run):g} s"
    return f"{run['phrase']}, all are within {run['last']:.3g} s"


@styled
def attempts(scene: Scene) -> Figure:
    """Draw on the left the share that is acked at each attempt and the share that ends dead, with the theory.

    On the right, draw the share that ends dead when failures come in outages.
    """
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
        left.plot([place, place], [max(low, floor), max(high, floor)], color=DARK, linewidth=1.6, zorder=6)
        left.plot(place, law, "D", color="white", markeredgecolor=DARK, markersize=6, zorder=5)
        _write_above(left, place, max(count / messages, high, law, floor), _percent(count / messages))
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
    _draw_cases(right, cases, p ** len(counts), floor)
    right.set_title("dead, by how failures come", fontsize=12)
    for axes in (left, right):
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _percent(value)))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(axis="y", labelsize=10.5)
        axes.grid(axis="x", visible=False)
    return figure


def _draw_cases(axes: Axes, cases: Sequence[dict[str, Any]], law: float, floor: float) -> None:
    """Draw the share that ends dead in each case.

    Args:
        axes: The panel.
        cases: The messages and the dead letters of each, and its label.
        law: The share that theory gives for independent failures.
        floor: The height of a bar whose share is 0, which a logarithmic axis cannot show.
    """
    for place, case in enumerate(cases):
        share = case["dead"] / case["messages"]
        axes.bar(place, max(share, floor), 0.62, color=RED)
        _write_above(
            axes, place, max(share, floor), _percent(share) if case["dead"] else f"0 of {short(case['messages'])}"
        )
    dashed_line(axes, law)
    write_at(axes, "theory", (1, law), (0, 3), share_of_width=True, ha="right", color=FAINT, fontsize=10.5)
    axes.set_yscale("log")
    axes.set_ylim(floor, 4)
    axes.set_xlim(-0.6, len(cases) - 0.4)
    axes.set_xticks(range(len(cases)), [case["label"] for case in cases], fontsize=10.5)


def _write_above(axes: Axes, x: float, y: float, text: str) -> None:
    write_at(
        axes,
        text,
        (x, y),
        (0, 7),
        ha="center",
        fontsize=10.5,
        fontweight="bold",
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.6},
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g}%" if share < 0.9995 else f"{100 * share:.3g}%"


@styled
def poison_life(scene: Scene) -> Figure:
    """Draw the life of a block that kills its workers: it ends dead, is redriven and done."""
    steps = [Transition(*step) for step in scene.data["life"]]
    dead = next((place for place, step in enumerate(steps) if step.target == "DEAD"), len(steps))
    killed = sum(step.target == "LEASED" for step in steps[:dead])
    title = f"A poison block takes {killed} worker{'s' * (killed != 1)} with it"
    if dead < len(steps):
        title += f"; after {steps[dead].time - steps[0].time:g} s it is a dead letter"
    if steps[-1].target == "acked":
        title += f", and after the fix it is acked at attempt {steps[-1].attempt}"
    name = f"one block, leased for {float(scene.data['lease']):g} s, {int(scene.data['most'])} attempts"
    return draw_timeline(steps, name, title, caption(scene.machine, "manual clock"))


DRAWINGS: tuple[Drawing, ...] = (
    Drawing(
        "message-life",
        "message-life",
        Scene.read,
        message_life,
        "The life of a message whose first worker falls silent and acks too late.",
        "make notebooks",
    ),
    Drawing(
        "retry-storm",
        "retry-storm",
        Scene.read,
        retry_storm,
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
        poison_life,
        "The life of a block that kills its workers, until it is redriven.",
        "make notebooks",
    ),
)
