"""The figure of page 09: what a message costs in each system, grouped by what becomes of it if its consumer dies."""

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from lightbroker.lab.bench.bars import Select
from lightbroker.lab.bench.report import promise_words
from lightbroker.lab.bench.systems import LIGHT
from lightbroker.lab.figures.plots.drawing import Drawing
from lightbroker.lab.figures.plots.frame import BLUE, GREY, SHORT, caption, frame, styled
from lightbroker.lab.measure.results import Bench
from lightbroker.lab.measure.stats import Estimate

#: What a consumer's death means for the message that it took, by (ack, lease).
GROUPS = {
    (True, True): "A lease: it is delivered again",
    (True, False): "An ack, no lease: it is kept, until somebody frees it",
    (False, False): "Neither: it is gone",
}
#: The promises that have a column, as they are called there.
COLUMNS = {
    "bounded": "bounded",
    "retry": "retries",
    "dead_letters": "dead letters",
    "durable": "durable",
    "across_processes": "processes",
}


class Peer(NamedTuple):
    """What a message costs in µs, and what the system promises for it."""

    name: str
    cost: Estimate
    promises: dict[str, object]


def measured(found: Bench) -> list[Peer]:
    """The systems that were measured, the fastest first."""
    select = Select(found.runs, found.seed)
    costs = {name: select.estimate(select.values(system=name)) for name in found.promises}
    peers = [Peer(name, cost, found.promises[name]) for name, cost in costs.items() if cost is not None]
    return sorted(peers, key=lambda peer: peer.cost.median)


def peers(found: Bench) -> Figure:
    """µs a message, grouped by promise, with the other promises beside it."""
    everyone = measured(found)
    groups = {
        text: [peer for peer in everyone if (bool(peer.promises["ack"]), bool(peer.promises["lease"])) == kind]
        for kind, text in GROUPS.items()
    }
    fastest = everyone[0]
    kept = promise_words(fastest.promises, leave_out=("across_threads",)).replace("-", "nothing")
    title = f"{fastest.name} passes a message in {_figure(fastest.cost.median)} µs and promises {kept}"
    leased = next((peer for peer in everyone if peer.promises["lease"]), None)
    if leased is not None and leased is not fastest:
        title += f"; with a lease the fastest is {leased.name}, {_figure(leased.cost.median)} µs"
    note = f"one at a time, servers keep no file, {found.repetitions} runs, 95 % intervals"
    return _table({text: members for text, members in groups.items() if members}, title, caption(found.machine, note))


@styled
def _table(groups: dict[str, list[Peer]], title: str, text: str) -> Figure:
    rows = len(groups) + sum(map(len, groups.values()))
    figure, (axes, marks) = frame(title, text, columns=2, height=2.1 + 0.26 * rows)
    grid = axes.get_gridspec()
    assert grid is not None
    grid.set_width_ratios([3.2, 1])
    values = [peer.cost for members in groups.values() for peer in members]
    lowest, highest = min(each.low for each in values) / 2, max(each.high for each in values)
    place = rows
    names: dict[int, str] = {}
    for heading, members in groups.items():
        place -= 1
        axes.annotate(
            heading,
            (0, place - 0.1),
            xycoords=axes.get_yaxis_transform(),
            va="center",
            fontsize=12,
            fontweight="bold",
            annotation_clip=False,
        ).set_in_layout(False)
        for peer in members:
            place -= 1
            names[place] = peer.name
            _bar(axes, peer, place, lowest)
            _promises(marks, peer, place)
    for panel in (axes, marks):
        panel.set_ylim(-0.6, rows - 0.4)
        panel.grid(axis="y", visible=False)
        panel.tick_params(axis="y", length=0)
    axes.set_xscale("log")
    axes.set_xlim(lowest, highest * (highest / lowest) ** 0.15)
    axes.set_yticks(list(names), list(names.values()))
    for label, name in zip(axes.get_yticklabels(), names.values(), strict=True):
        label.set_color(_colour(name))
        label.set_fontsize(10.5)
    axes.xaxis.set_major_formatter(SHORT)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("µs a message, one thread, log scale")
    marks.set_xlim(-0.6, len(COLUMNS) - 0.4)
    marks.set_xticks(range(len(COLUMNS)), list(COLUMNS.values()), rotation=90)
    marks.tick_params(axis="x", labelsize=11, length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    marks.set_yticks([])
    for spine in marks.spines.values():
        spine.set_visible(False)
    return figure


def _bar(axes: Axes, peer: Peer, place: int, lowest: float) -> None:
    colour = BLUE if peer.name.startswith(LIGHT) else "#B8B8B8"
    axes.barh(place, peer.cost.median - lowest, left=lowest, height=0.66, color=colour)
    axes.plot([peer.cost.low, peer.cost.high], [place, place], color="#222222", linewidth=1.5)
    axes.annotate(
        _figure(peer.cost.median),
        (peer.cost.high, place),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontweight="bold",
        fontsize=10.5,
    )


def _promises(axes: Axes, peer: Peer, place: int) -> None:
    colour = _colour(peer.name)
    for column, promise in enumerate(COLUMNS):
        if peer.promises[promise]:
            axes.plot(column, place, "o", color=colour, markersize=7)


def _figure(microseconds: float) -> str:
    return f"{microseconds:,.0f}" if microseconds >= 100 else f"{microseconds:.{3 if microseconds >= 1 else 2}g}"


def _colour(name: str) -> str:
    return BLUE if name.startswith(LIGHT) else GREY


DRAWINGS: tuple[Drawing, ...] = (
    Drawing(
        "peers",
        "peers",
        Bench.read,
        peers,
        "µs a message of everything measured, grouped by what becomes of it if its consumer dies.",
        "make bench",
    ),
)
