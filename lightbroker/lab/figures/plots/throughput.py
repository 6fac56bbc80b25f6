"""Throughput over the number of workers, or over a setting."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from lightbroker.lab.figures.plots.frame import COLOURS, SHORT, Label, frame, label_ends, short, styled
from lightbroker.lab.theory.usl import UslFit


@styled
def draw_throughput(
    runs: Mapping[str, Mapping[float, Sequence[float]]],
    title: str,
    caption: str,
    fits: Mapping[str, UslFit] | None = None,
    xlabel: str = "consumers, log scale",
) -> Figure:
    """Draw throughput over the number of consumers or over another setting: a dot is a run.

    Args:
        runs: By the name of the system, by the setting: messages/s of each run.
        title: The finding.
        caption: The last line.
        fits: The Universal Scalability Law of some of the systems. It is drawn with its 95 % band; the line of the
            other systems goes through the medians.
        xlabel: What the setting is.
    """
    figure, (axes,) = frame(title, caption)
    labels = []
    axes.set_xscale("log")
    for (name, found), colour in zip(runs.items(), COLOURS, strict=False):
        for x, values in found.items():
            axes.plot([x] * len(values), values, "o", color=colour, alpha=0.5, markersize=5)
        last = max(found)
        end = float(np.median(found[last]))
        if fits and name in fits:
            smooth = np.geomspace(min(found), last, 200)
            axes.fill_between(smooth, *fits[name].band(smooth), color=colour, alpha=0.15, linewidth=0)
            axes.plot(smooth, fits[name].law(smooth), color=colour)
        else:
            axes.plot(list(found), [np.median(values) for values in found.values()], color=colour)
        labels.append(Label(last, end, f"{name}\n{short(end)}/s", colour))
    axes.set_ylim(0)
    ticks = sorted({x for found in runs.values() for x in found})
    axes.set_xlim(ticks[0] / 1.15, ticks[-1] * (ticks[-1] / ticks[0]) ** 0.3)
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(SHORT)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(SHORT)
    axes.set_xlabel(xlabel)
    axes.set_ylabel("messages/s")
    label_ends(axes, labels)
    return figure
