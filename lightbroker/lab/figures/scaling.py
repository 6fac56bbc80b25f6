"""Scaling out: worker processes on one Redis, the partition that has the hottest key, the latency of a quorum.

The figures of notebook 10.
"""

from collections.abc import Mapping
from statistics import median
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from lightbroker.lab.figures.plots.drawing import Drawing
from lightbroker.lab.figures.plots.frame import (
    BLUE,
    COLOURS,
    DARK,
    DURATION,
    GREEN,
    GREY,
    RED,
    SHORT,
    Label,
    caption,
    duration,
    frame,
    label_ends,
    short,
    styled,
    write_at,
)
from lightbroker.lab.figures.plots.latency import Ladder, draw_percentiles
from lightbroker.lab.measure.results import Scene

_LINES = (GREEN, BLUE, RED)  # the colours of the lines of `hot_partition`


@styled
def hot_partition(scene: Scene) -> Figure:
    """Draw the p95 of the wait in the hottest partition over the number of partitions: simulated, and measured points.

    A bar at a measured point is the range that the simulation gives for runs of that length, and the dash across it is
    what the simulation gives for the plan of this run.
    """
    # By name, by number of partitions: the load of the hottest one and its p95 in ms (None: overloaded).
    lines: Mapping[str, Mapping[str, Mapping[str, float | None]]] = scene.data["lines"]
    # Of the last line, by number of partitions: the p95, the range and the plan, all in ms.
    measured: Mapping[str, Mapping[str, float]] = scene.data["measured"]
    figure, (axes,) = frame(_hottest(scene.data), caption(scene.machine, str(scene.data["note"])), height=5.6)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    counts = sorted({int(count) for line in lines.values() for count in line})
    labels, crosses = [], []
    for (name, line), colour in zip(lines.items(), _LINES, strict=False):
        points = [(int(count), each["p95_ms"] * 1e3) for count, each in line.items() if each["p95_ms"] is not None]
        if points:
            axes.plot(*zip(*points, strict=True), "o-", color=colour, markersize=4)
            labels.append(Label(*points[-1], name, colour))
        crosses += [(int(count), each["load"] or 0.0, colour) for count, each in line.items() if each["p95_ms"] is None]
    for count, found in measured.items():
        axes.plot([int(count)] * 2, [found["low_ms"] * 1e3, found["high_ms"] * 1e3], color=DARK, linewidth=1.4)
        axes.plot(int(count), found["plan_ms"] * 1e3, "_", color=DARK, markersize=18, markeredgewidth=2)
        axes.plot(int(count), found["p95_ms"] * 1e3, "D", color="white", markeredgecolor=DARK, markersize=8)
    low, high = axes.get_ylim()
    top = high * (high / low) ** 0.35
    axes.set_ylim(low, top)
    _cross_out(axes, crosses, high, top)
    axes.set_xlim(counts[0] / 1.25, counts[-1] * (counts[-1] / counts[0]) ** 0.24 * 1.2)
    axes.set_xticks(counts)
    axes.xaxis.set_major_formatter(SHORT)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(DURATION)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("partitions, a worker each, log scale; the mean load stays the same")
    axes.set_ylabel("wait in the hottest one, p95, log scale")
    if measured:
        last = max(measured, key=int)
        at = (int(last), measured[last]["p95_ms"] * 1e3)
        write_at(axes, "measured on Redis", at, (-10, 6), ha="right", fontsize=12, fontweight="bold", color=DARK)
    label_ends(axes, labels)
    return figure


def _cross_out(axes: Axes, crosses: list[tuple[int, float, str]], low: float, high: float) -> None:
    """Draw a cross with its load for each hottest partition that is overloaded, whose wait has no end.

    Args:
        axes: The panel.
        crosses: Number of partitions, load, and the colour of the line.
        low: Where the room for the crosses begins; each line has a row of its own there.
        high: Where that room ends.
    """
    rows = list(dict.fromkeys(colour for _, _, colour in crosses))
    for count, load, colour in crosses:
        height = low * (high / low) ** ((rows.index(colour) + 1) / (len(rows) + 1))
        axes.plot(count, height, "X", color=colour, markersize=10)
        write_at(axes, f"{load:.0%}", (count, height), (8, 0), va="center", fontsize=10.5, color=colour)
    if crosses:
        count, _, colour = min(crosses)
        height = low * (high / low) ** ((rows.index(colour) + 1) / (len(rows) + 1))
        text = "no steady state at a load of"
        write_at(axes, text, (count, height), (-12, 0), ha="right", va="center", fontsize=11, color=GREY)


def _hottest(data: Mapping[str, Any]) -> str:
    """Return the title: what becomes of the hottest partition of the line with the most skew."""
    name, line = list(data["lines"].items())[-1]
    mean = f"At a mean load of {data['load']:.0%}"
    steady = [count for count, each in line.items() if each["p95_ms"] is not None]
    over = [count for count, each in line.items() if each["p95_ms"] is None]
    text = ""
    if steady:
        most = max(steady, key=int)
        text = f"{mean}, the p95 wait in the hottest of {most} partitions is {duration(line[most]['p95_ms'] * 1e3)}"
    if over:
        first = min(over, key=int)
        text += f"; of {first}, its load is " if text else f"{mean}, the hottest of {first} partitions has a load of "
        text += f"{line[first]['load']:.0%}"
    return f"{text} (simulated, {name})"


def quorum(scene: Scene) -> Figure:
    """Draw the percentiles of a write that waits for some of its replicas, simulated."""
    ladders = {
        name: Ladder(each["percent"], each["latency_us"], int(scene.data["writes"]))
        for name, each in scene.data["ladders"].items()
    }
    shared = set.intersection(*(set(ladder.percents) for ladder in ladders.values()))
    percent = next((each for each in (99.9, 99.0, 90.0) if any(abs(rung - each) < 1e-6 for rung in shared)), 100.0)
    parts = [f"{duration(_at(ladder, percent))} for {name}" for name, ladder in ladders.items()]
    what = f"p{percent:g}" if percent < 100 else "maximum"
    title = f"Simulated: the {what} of a write that waits for its replicas is {', '.join(parts)}"
    return draw_percentiles(ladders, title, caption(scene.machine, str(scene.data["note"])))


def _at(ladder: Ladder, percent: float) -> float:
    """Return the latency in µs at the percentile that is nearest."""
    return min(zip(ladder.percents, ladder.latencies, strict=True), key=lambda rung: abs(rung[0] - percent))[1]


@styled
def redis_processes(scene: Scene) -> Figure:
    """Draw throughput over worker processes on one Redis, measured and predicted: one queue, or a partition each."""
    # By name, by number of workers: messages/s, for each run and as it is predicted.
    measured: Mapping[str, Mapping[str, list[float]]] = scene.data["measured"]
    predicted: Mapping[str, Mapping[str, float]] = scene.data["predicted"]
    gains = {}
    for name, line in measured.items():
        most, least = max(line, key=int), min(line, key=int)
        gains[name] = (
            int(most),
            median(line[most]) / median(line[least]),
            predicted[name][most] / predicted[name][least],
        )
    workers = max(most for most, _, _ in gains.values())
    parts = [f"{gain:.2g} times {name} (predicted {model:.2g})" for name, (_, gain, model) in gains.items()]
    title = f"{workers} workers do the work of one {', and '.join(parts)}"
    figure, (axes,) = frame(title, caption(scene.machine, str(scene.data["note"])))
    axes.set_xscale("log", base=2)
    labels = []
    for (name, line), colour in zip(measured.items(), COLOURS, strict=False):
        for count, values in line.items():
            axes.plot([int(count)] * len(values), values, "o", color=colour, alpha=0.6, markersize=7)
        model = predicted[name]
        axes.plot(list(map(int, model)), list(model.values()), "--", color=colour, linewidth=1.8)
        last = max(line, key=int)
        labels.append(Label(int(last), median(line[last]), f"{name}\n{short(median(line[last]))}/s", colour))
    counts = sorted({int(count) for line in measured.values() for count in line})
    middle = counts[len(counts) // 2]
    one = next(iter(predicted.values()))
    at = (middle, one.get(str(middle), 0.0))
    write_at(axes, "dashed: predicted", at, (-10, 12), ha="right", color=GREY, fontsize=11)
    axes.set_ylim(0)
    axes.set_xlim(counts[0] / 1.15, counts[-1] * (counts[-1] / counts[0]) ** 0.35 * 1.15)
    axes.set_xticks(counts)
    axes.xaxis.set_major_formatter(SHORT)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(SHORT)
    axes.set_xlabel("worker processes, log scale")
    axes.set_ylabel("messages/s")
    label_ends(axes, labels)
    return figure


DRAWINGS: tuple[Drawing, ...] = (
    Drawing(
        "redis-processes",
        "redis-processes",
        Scene.read,
        redis_processes,
        "1, 2 and 4 worker processes on one Redis: measured, and predicted from one.",
        "make notebooks",
    ),
    Drawing(
        "hot-partition",
        "hot-partition",
        Scene.read,
        hot_partition,
        "Wait in the hottest partition over their number, simulated, with the points measured on Redis.",
        "make notebooks",
    ),
    Drawing(
        "quorum",
        "quorum",
        Scene.read,
        quorum,
        "Percentiles of a write that waits for 1, 2 or 3 replicas, simulated.",
        "make notebooks",
    ),
)
