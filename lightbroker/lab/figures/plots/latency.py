"""Latency: its percentiles, how it changes over time, and what the offered load does to it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from lightbroker.lab.figures.plots.frame import (
    COLOURS,
    DURATION,
    GREY,
    SHORT,
    Label,
    duration,
    frame,
    label_ends,
    promise_line,
    short,
    styled,
    write_at,
)


class Ladder(NamedTuple):
    """Percentiles of one run, as `measure.curves.ladder` makes them.

    Attributes:
        percents: In rising order; the last is 100, which stands for the maximum.
        latencies: In µs, one for each of the percents.
        samples: Of how many messages.
    """

    percents: Sequence[float]
    latencies: Sequence[float]
    samples: int


class Load(NamedTuple):
    """The latencies of several runs at one offered load.

    Attributes:
        rate: The offered load in messages/s.
        p50: In µs, for each run; None where too few samples support it.
        p99: In µs, for each run; None for a run that is not valid.
    """

    rate: float
    p50: Sequence[float | None]
    p99: Sequence[float | None]


@styled
def draw_percentiles(
    ladders: Mapping[str, Ladder], title: str, caption: str, promise_us: float | None = None
) -> Figure:
    """Draw percentiles on an axis on which each step to the right is ten times rarer, as Tene's HdrHistogram does.

    A line ends at the last percentile that its sample supports. The ring beyond it is the maximum.

    Args:
        ladders: The percentiles, by name.
        title: The finding.
        caption: The last line.
        promise_us: A promised latency in µs, drawn as a dashed line.
    """
    figure, (axes,) = frame(title, caption)
    labels, samples = [], {ladder.samples for ladder in ladders.values()}
    alike = len(samples) == 1
    for (name, ladder), colour in zip(ladders.items(), COLOURS, strict=False):
        nines = -np.log10(1 - np.asarray(ladder.percents[:-1]) / 100)
        axes.plot(nines, ladder.latencies[:-1], color=colour)
        maximum, last = ladder.latencies[-1], float(nines[-1])
        axes.plot([last, last + 0.25], [ladder.latencies[-2], maximum], ":", color=colour, linewidth=1.4)
        axes.plot(last + 0.25, maximum, "o", markerfacecolor="white", color=colour)
        text = f"{name}\nmax {duration(maximum)}" + ("" if alike else f", n = {ladder.samples:,}")
        labels.append(Label(last + 0.25, maximum, text, colour))
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.06)
    reach = max(label.x for label in labels)
    axes.set_xlim(0, reach * 1.42)
    ticks = [0, -np.log10(0.5), *range(1, int(reach) + 1)]
    axes.set_xticks(ticks, ["0", "50", *(f"{100 * (1 - 10.0**-nine):.10g}" for nine in range(1, int(reach) + 1))])
    axes.set_xlabel("percentile (each 9 is ten times rarer" + (f"; n = {samples.pop():,} each)" if alike else ")"))
    axes.set_ylabel("latency, log scale")
    axes.yaxis.set_major_formatter(DURATION)
    axes.yaxis.set_minor_formatter(NullFormatter())
    if promise_us is not None:
        promise_line(axes, promise_us, f"promise: {duration(promise_us)}")
    label_ends(axes, labels)
    return figure


@styled
def draw_heat_map(
    seconds: Sequence[float], latencies_us: Sequence[float], counts: Sequence[float], title: str, caption: str
) -> Figure:
    """Draw how many messages took how long, over the time at which they were planned: a latency heat map after Gregg.

    The darker a cell, the more messages. A pause shows as a slope, and two kinds of message show as two bands.

    Args:
        seconds: The edges of the columns.
        latencies_us: The edges of the rows, in µs.
        counts: Of messages in each cell, row after row. `measure.curves.heat` makes all three.
        title: The finding.
        caption: The last line.
    """
    figure, (axes,) = frame(title, caption)
    grid = np.asarray(counts).reshape(len(latencies_us) - 1, len(seconds) - 1)
    shown = np.ma.masked_equal(grid, 0)
    norm = LogNorm(1, max(2.0, float(grid.max())))
    mesh = axes.pcolormesh(seconds, latencies_us, shown, cmap="YlGnBu", norm=norm, rasterized=True)
    rows = np.flatnonzero(grid.any(axis=1))
    axes.set_yscale("log")
    axes.set_ylim(latencies_us[max(0, rows[0] - 2)], latencies_us[min(len(latencies_us) - 1, rows[-1] + 3)])
    axes.set_xlabel("planned at, seconds")
    axes.set_ylabel("latency, log scale")
    axes.yaxis.set_major_formatter(DURATION)
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(False)
    bar = figure.colorbar(mesh, ax=axes, pad=0.02, aspect=30)
    bar.set_label("messages in a cell, log scale")
    bar.ax.yaxis.set_major_formatter(SHORT)
    bar.ax.yaxis.set_minor_formatter(NullFormatter())
    return figure


@styled
def draw_hockey_stick(
    loads: Mapping[str, Sequence[Load]],
    title: str,
    caption: str,
    theory: tuple[str, Sequence[float], Sequence[float]],
    promise: tuple[float, float],
) -> Figure:
    """Draw latency over the offered load: it stays flat for long, and then goes straight up.

    A dot is a run, and a line goes through the medians. A rate at which a run could not keep its plan gets a cross at
    the top, because latency has no value there.

    Args:
        loads: By the name of the system.
        title: The finding.
        caption: The last line.
        theory: The name of a model, rates in messages/s, and for each the latency in µs.
        promise: A rate in messages/s, and the p99 in µs that is promised at it.
    """
    figure, (axes,) = frame(title, caption)
    labels, lost = [], []
    for (name, found), colour in zip(loads.items(), COLOURS, strict=False):
        for text, alpha, marker in (("p99", 1.0, "o"), ("p50", 0.45, "s")):
            medians = []
            for load in found:
                values = [value for value in (load.p99 if text == "p99" else load.p50) if value is not None]
                axes.plot([load.rate] * len(values), values, marker, color=colour, alpha=0.35 * alpha, markersize=4)
                if values:
                    medians.append((load.rate, float(np.median(values))))
            if medians:
                axes.plot(*zip(*medians, strict=True), color=colour, alpha=alpha)
                if text == "p99":
                    labels.append(Label(*medians[-1], name, colour))
        lost += [(load.rate, colour) for load in found if None in load.p99]
    axes.set_xscale("log")
    axes.set_yscale("log")
    name, rates, latencies = theory
    axes.plot(rates, latencies, "--", color=GREY, linewidth=1.6)
    third = len(rates) // 3
    write_at(axes, name, (rates[third], latencies[third]), (0, 9), color=GREY, fontweight="bold", fontsize=12)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * 2)
    for rate, colour in lost:
        axes.plot(rate, high * (1.15 + 0.3 * COLOURS.index(colour)), "x", color=colour, markeredgewidth=2)
    left, right = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if left <= tick <= right]
    axes.set_xlim(left, right * (right / left) ** 0.2)
    axes.set_xticks(ticks)
    rate, latency = promise
    promise_line(axes, latency, f"promise: p99 under {duration(latency)} at {short(rate)}/s")
    axes.set_xlabel(
        "offered load, messages/s, log scale" + (" (×: the sender could not keep its plan)" if lost else "")
    )
    axes.set_ylabel("latency: p99, and p50 faint")
    axes.xaxis.set_major_formatter(SHORT)
    axes.yaxis.set_major_formatter(DURATION)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
    label_ends(axes, labels)
    return figure
