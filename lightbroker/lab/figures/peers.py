"""What a message costs in each system, grouped by what becomes of it if its consumer dies.

The figure of notebook 09.
"""

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from lightbroker.lab.bench.bars import Select
from lightbroker.lab.bench.report import promise_words
from lightbroker.lab.bench.studies.peers import by_guarantee
from lightbroker.lab.bench.systems import LIGHT
from lightbroker.lab.figures.plots.drawing import Drawing
from lightbroker.lab.figures.plots.frame import BLUE, DARK, PALE, SHORT, caption, frame, styled, write_at
from lightbroker.lab.figures.plots.system_rows import name_rows, system_colour
from lightbroker.lab.measure.results import Bench
from lightbroker.lab.measure.stats import Estimate

#: By (ack, lease): what a consumer's death means for the message that it took.
GROUPS = {
    (True, True): "A lease: it is delivered again",
    (True, False): "An ack, no lease: it is kept, until somebody frees it",
    (False, False): "Neither: it is gone",
}
#: The other promises have a column each; the fields of `Promises`, and the heading.
COLUMNS = {
    "bounded": "bounded",
    "retry": "retries",
    "dead_letters": "dead letters",
    "durable": "durable",
    "across_processes": "processes",
}


class Peer(NamedTuple):
    """A system, what a message costs with it in µs, and what it promises."""

    name: str
    cost: Estimate
    promises: dict[str, object]


def measured(found: Bench) -> list[Peer]:
    """Return the systems that were measured, the fastest first."""
    select = Select(found.runs, found.seed)
    costs = {name: select.estimate(select.values(system=name)) for name in found.promises}
    peers = [Peer(name, cost, found.promises[name]) for name, cost in costs.items() if cost is not None]
    return sorted(peers, key=lambda peer: peer.cost.median)


def peers(found: Bench) -> Figure:
    """Draw the time that each system takes for a message, in groups by guarantee, with its other promises beside it."""
    everyone = measured(found)
    by_name = {peer.name: peer for peer in everyone}
    guarantees = by_guarantee({name: peer.promises for name, peer in by_name.items()})
    groups = {GROUPS[guarantee]: [by_name[name] for name in names] for guarantee, names in guarantees.items()}
    fastest = everyone[0]
    kept = promise_words(fastest.promises, leave_out=("across_threads",)).replace("-", "nothing")
    title = f"{fastest.name} passes a message in {_microseconds(fastest.cost.median)} µs and promises {kept}"
    leased = next((peer for peer in everyone if peer.promises["lease"]), None)
    if leased is not None and leased is not fastest:
        title += f"; with a lease the fastest is {leased.name}, {_microseconds(leased.cost.median)} µs"
    note = f"one at a time, servers keep no file, {found.repetitions} runs, 95 % intervals"
    return _draw_groups(groups, title, caption(found.machine, note))


@styled
def _draw_groups(groups: dict[str, list[Peer]], title: str, text: str) -> Figure:
    """Draw a heading for each group and a row for each of its systems; `text` is the last line of the figure."""
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
        written = write_at(
            axes,
            heading,
            (0, place - 0.1),
            share_of_width=True,
            va="center",
            fontsize=12,
            fontweight="bold",
            annotation_clip=False,
        )
        written.set_in_layout(False)
        for peer in members:
            place -= 1
            names[place] = peer.name
            _draw_cost(axes, peer, place, lowest)
            _mark_promises(marks, peer, place)
    for panel in (axes, marks):
        panel.set_ylim(-0.6, rows - 0.4)
    axes.set_xscale("log")
    axes.set_xlim(lowest, highest * (highest / lowest) ** 0.15)
    name_rows(axes, names, fontsize=10.5)
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


def _draw_cost(axes: Axes, peer: Peer, place: int, lowest: float) -> None:
    """Draw a bar from the left end of the axis, `lowest`, with its interval and its number."""
    colour = BLUE if peer.name.startswith(LIGHT) else PALE
    axes.barh(place, peer.cost.median - lowest, left=lowest, height=0.66, color=colour)
    axes.plot([peer.cost.low, peer.cost.high], [place, place], color=DARK, linewidth=1.5)
    cost = _microseconds(peer.cost.median)
    write_at(axes, cost, (peer.cost.high, place), (6, 0), va="center", fontweight="bold", fontsize=10.5)


def _mark_promises(axes: Axes, peer: Peer, place: int) -> None:
    """Draw a dot in the column of each promise that the system keeps."""
    colour = system_colour(peer.name)
    for column, promise in enumerate(COLUMNS):
        if peer.promises[promise]:
            axes.plot(column, place, "o", color=colour, markersize=7)


def _microseconds(microseconds: float) -> str:
    return f"{microseconds:,.0f}" if microseconds >= 100 else f"{microseconds:.{3 if microseconds >= 1 else 2}g}"


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
