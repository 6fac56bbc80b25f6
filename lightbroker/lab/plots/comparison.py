"""Systems beside each other: what each needs for a message, with what it promises; and speed against what survives."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from lightbroker.lab.plots.frame import BLUE, FAINT, GREY, SHORT, Label, frame, label_ends, short, styled
from lightbroker.lab.stats import Estimate


class Bar(NamedTuple):
    """A system's value with its interval, and what it promises for it."""

    name: str
    value: Estimate
    promises: str


class Survivor(NamedTuple):
    """A setting's throughput in messages/s with its interval, and the worst that its messages survive."""

    name: str
    value: Estimate
    survives: str


@styled
def bars(found: Sequence[Bar], title: str, caption: str, unit: str, highlight: str = "LightBroker") -> Figure:
    """A bar for each system on a logarithmic axis, in the order given, what it promises beside its value."""
    figure, (axes,) = frame(title, caption, height=1.5 + 0.5 * len(found))
    lowest = min(bar.value.low for bar in found) / 2
    highest = max(bar.value.high for bar in found)
    for place, bar in enumerate(reversed(found)):
        colour = BLUE if bar.name == highlight else "#B8B8B8"
        axes.barh(place, bar.value.median - lowest, left=lowest, height=0.62, color=colour)
        axes.plot([bar.value.low, bar.value.high], [place, place], color="#222222", linewidth=1.6)
        axes.annotate(
            short(bar.value.median),
            (bar.value.high, place),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontweight="bold",
            fontsize=12,
        )
        axes.annotate(
            bar.promises,
            (1, place),
            xycoords=axes.get_yaxis_transform(),
            xytext=(0, 0),
            textcoords="offset points",
            va="center",
            ha="left",
            fontsize=11,
            color=FAINT,
            annotation_clip=False,
        )
    axes.text(1, 1.0, "promises", transform=axes.transAxes, fontsize=11, fontweight="bold", color=FAINT)
    axes.set_xscale("log")
    axes.set_xlim(lowest, highest * (highest / lowest) ** 0.2)
    axes.set_yticks(range(len(found)), [bar.name for bar in reversed(found)])
    for label, bar in zip(axes.get_yticklabels(), reversed(found), strict=True):
        label.set_color(BLUE if bar.name == highlight else "#444444")
        label.set_fontweight("bold" if bar.name == highlight else "normal")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.xaxis.set_major_formatter(SHORT)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(f"{unit}, log scale")
    return figure


@styled
def survival(found: Sequence[Survivor], order: Sequence[str], title: str, caption: str) -> Figure:
    """Messages/s on a logarithmic axis over what the messages survive; `order` names that from least to most."""
    figure, (axes,) = frame(title, caption)
    groups: Mapping[str, list[Survivor]] = {name: [each for each in found if each.survives == name] for name in order}
    for column, (_, members) in enumerate(groups.items()):
        for each in members:
            colour = BLUE if "LightBroker" in each.name else GREY
            axes.plot([column, column], [each.value.low, each.value.high], color=colour, linewidth=1.8)
            axes.plot(column, each.value.median, "o", color=colour, markersize=9)
    axes.set_yscale("log")
    axes.set_xlim(-0.3, len(order) * 1.12 - 0.25)
    axes.set_xticks(range(len(order)), order)
    axes.grid(axis="x", visible=False)
    axes.set_xlabel("the worst that an accepted message survives")
    axes.set_ylabel("messages/s, log scale")
    axes.yaxis.set_major_formatter(SHORT)
    axes.yaxis.set_minor_formatter(NullFormatter())
    for column, (_, members) in enumerate(groups.items()):
        label_ends(
            axes,
            [
                Label(column, each.value.median, each.name, BLUE if "LightBroker" in each.name else GREY)
                for each in members
            ],
        )
    return figure
