"""What is connected to what: the picture at the top of the README. It is drawn from no data."""

from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from lightbroker.lab.figures.plots.drawing import Drawing
from lightbroker.lab.figures.plots.frame import BLUE, FAINT, GREEN, GREY, RED, YELLOW, frame, styled

_NOTE = "Boxes in blue are LightBroker's; each transition between states is one atomic step of the store"


class _Box(NamedTuple):
    """A box with its lower left corner at (x, y), in percent of the picture; `small` is the text below `text`."""

    x: float
    y: float
    width: float
    height: float
    text: str
    small: str = ""
    colour: str = BLUE


_BOXES = (
    _Box(0, 62, 11, 16, "node", "wss://", GREY),
    _Box(18, 62, 15, 16, "watcher", "gaps, reorgs,\nduplicates"),
    _Box(18, 86, 15, 12, "publishers", "broker.publish", GREY),
    _Box(40, 86, 24, 12, "topics", "a buffer for each subscriber"),
    _Box(84, 86, 16, 12, "subscribers", "threads, loops", GREY),
    _Box(40, 34, 36, 44, "", "", BLUE),
    _Box(84, 62, 16, 16, "workers", "up to 100, leases\nkept by heartbeat"),
    _Box(84, 38, 16, 14, "an operator", "redrive, purge", GREY),
    _Box(0, 2, 33, 13, "metrics server", "/metrics  /health  a live page"),
    _Box(40, 2, 60, 13, "store", "memory    ·    an SQLite file    ·    Redis"),
    _Box(0, 34, 33, 14, "Prometheus, a browser", "on 127.0.0.1", GREY),
)
_STATES = (
    _Box(43, 56, 13, 11, "READY", "", BLUE),
    _Box(61, 56, 12, 11, "LEASED", "", GREEN),
    _Box(43, 37, 13, 11, "DELAYED", "", YELLOW),
    _Box(61, 37, 12, 11, "DEAD", "", RED),
)
# Each from a point to a point, with a text and its place.
_ARROWS = (
    ((11, 70), (18, 70), "heads", (14.3, 72.5)),
    ((33, 70), (43, 64), "push", (37, 71.5)),
    ((33, 92), (40, 92), "", (0, 0)),
    ((33, 76), (40, 87), "publish", (32.5, 82)),
    ((64, 92), (84, 92), "at most once", (74, 93.5)),
    ((52, 86), (52, 78), "bind", (55, 81)),
    ((56, 63), (61, 63), "", (0, 0)),
    ((73, 64), (84, 69), "pull", (79.5, 70)),
    ((84, 65), (73, 59), "ack, nack", (81, 56.8)),
    ((61.5, 56), (54, 48), "failed", (55.2, 52.8)),
    ((49.5, 48), (49.5, 56), "due", (47, 51.5)),
    ((67, 56), (67, 48), "gave up", (71.3, 51.5)),
    ((84, 43), (73, 43), "redrive", (79.5, 45)),
    ((58, 34), (58, 15), "one atomic step a transition", (72, 24)),
    ((16.5, 34), (16.5, 15), "GET", (20, 24)),
    ((40, 36), (33, 12), "stats", (34, 27)),
)


@styled
def architecture(nothing: None) -> Figure:
    """Draw the whole system in one picture."""
    figure, (axes,) = frame(
        "A watcher pushes each new block header to a queue; workers lease it, and what fails comes back", _NOTE
    )
    axes.set_xlim(-1, 101)
    axes.set_ylim(0, 100)
    axes.axis("off")
    for box in (*_BOXES, *_STATES):
        _draw_box(axes, box)
    axes.text(58, 73.5, 'queue "blocks": capacity bounds all it holds', ha="center", va="center", fontsize=9.5)
    for start, end, text, (x, y) in _ARROWS:
        axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": GREY, "linewidth": 1.4})
        axes.text(x, y, text, ha="center", va="center", fontsize=9, color=FAINT)
    return figure


def _draw_box(axes: Axes, box: _Box) -> None:
    shape = FancyBboxPatch(
        (box.x, box.y),
        box.width,
        box.height,
        boxstyle="round,pad=0,rounding_size=1.2",
        facecolor=box.colour if box in _STATES else "white",
        edgecolor=box.colour,
        linewidth=1.8,
    )
    axes.add_patch(shape)
    middle = box.x + box.width / 2
    lift = 0.0 if not box.small else box.height * 0.16 + 0.9 * box.small.count("\n")
    colour = "white" if box in _STATES else box.colour
    axes.text(
        middle,
        box.y + box.height / 2 + lift,
        box.text,
        ha="center",
        va="center",
        color=colour,
        fontweight="bold",
        fontsize=11,
    )
    axes.text(
        middle,
        box.y + box.height / 2 - box.height * 0.18,
        box.small,
        ha="center",
        va="center",
        fontsize=9,
        color=FAINT,
    )


def _nothing(_: Path) -> None:
    return None


DRAWINGS = (Drawing("architecture", None, _nothing, architecture, "What is connected to what."),)
