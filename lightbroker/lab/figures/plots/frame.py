"""What every figure shares: its style, the finding on top, the machine at the bottom, texts beside what they name."""

import itertools
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter

STYLE = Path(__file__).with_name("lightbroker.mplstyle")
BLUE, RED, GREEN, PINK, YELLOW, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555"
COLOURS = (BLUE, RED, GREEN, PINK, YELLOW, SKY, GREY)
FAINT = "#777777"  #: of lines and texts in the background
DARK = "#222222"  #: of marks that lie on a colour
PALE = "#B8B8B8"  #: of bars that are there for comparison
_TITLE_CHARACTERS = 66
_CAPTION_CHARACTERS = 118
_LABEL_POINTS = 12  # the size of a label's letters
_NO_BREAK = "\N{NO-BREAK SPACE}"
_PASSES = 50  # so often labels are pushed apart
_P = ParamSpec("_P")
_R = TypeVar("_R")


class Label(NamedTuple):
    """A text at a point of the data, in the colour of the line that it names."""

    x: float
    y: float
    text: str
    colour: str


def styled(draw: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorate a function so that it draws in the style of the figures, whatever the user's own settings are."""

    @wraps(draw)
    def drawn(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with plt.rc_context(), plt.style.context(["default", STYLE]):
            return draw(*args, **kwargs)

    return drawn


def frame(title: str, caption: str, rows: int = 1, columns: int = 1, height: float = 5.2) -> tuple[Figure, list[Axes]]:
    """Start a figure.

    Args:
        title: The finding, with its number.
        caption: The last line.
        rows: Of panels.
        columns: Of panels.
        height: In inches; the width is 9 inches.

    Returns:
        The figure and its panels, row by row.
    """
    figure, axes = plt.subplots(rows, columns, figsize=(9.0, height), squeeze=False)
    figure.suptitle(
        _wrapped(title, _TITLE_CHARACTERS), x=0.012, ha="left", fontsize=15, fontweight="bold", linespacing=1.25
    )
    figure.supxlabel(textwrap.fill(caption, _CAPTION_CHARACTERS), x=0.012, ha="left", fontsize=9.5, color=FAINT)
    return figure, list(axes.flat)


def _wrapped(text: str, width: int) -> str:
    """Return the text in lines of at most `width` characters; a number and its unit stay on one line."""
    joined = re.sub(r"(?<=\d) (?=(?:µs|ms|s|messages/s|%)\b|%)", _NO_BREAK, text)
    return textwrap.fill(joined, width).replace(_NO_BREAK, " ")


def caption(machine: Mapping[str, Any], note: str = "") -> str:
    """Return the last line of a figure.

    Args:
        machine: The description of the machine in the results, as `measure.machine.describe` made it.
        note: How it was measured.
    """
    gil = "GIL" if machine["gil"] else "no GIL"
    python = f"{str(machine['python_build']).partition(',')[0]} {machine['python']} ({gil})"
    day = str(machine["date"])[:10]
    return " · ".join(filter(None, (f"{machine['cpu']}, {machine['cores_usable']} cores", python, day, note)))


def save(figure: Figure, path: Path) -> None:
    """Write the figure to a PNG file and close it.

    The bytes of the file depend on the data and on matplotlib's version alone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with plt.style.context(["default", STYLE]):
        figure.savefig(path, format="png", metadata={"Software": None})
    plt.close(figure)


def write_at(
    axes: Axes,
    text: str,
    at: tuple[float, float],
    offset: tuple[float, float] = (0.0, 0.0),
    *,
    share_of_width: bool = False,
    **style: Any,
) -> Annotation:
    """Write a text beside a point.

    Args:
        axes: The panel.
        text: What to write.
        at: The point, in the units of the data.
        offset: How far the text is from the point: to the right and up, in points of 1/72 inch.
        share_of_width: The x of the point is a share of the panel's width, from 0 at the left to 1 at the right.
        style: Properties of matplotlib's `Text`.
    """
    system = axes.get_yaxis_transform() if share_of_width else "data"
    return axes.annotate(text, at, xytext=offset, xycoords=system, textcoords="offset points", **style)


def label_ends(axes: Axes, labels: Sequence[Label]) -> None:
    """Write each label to the right of its point, moved up or down until it touches no other label.

    Call it when everything else is drawn, because it reads the limits of the axes.
    """
    figure = axes.figure
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    points = np.array([axes.transData.transform((label.x, label.y)) for label in labels]) * 72 / figure.dpi
    bottom, top = (edge * 72 / figure.dpi for edge in (axes.bbox.y0, axes.bbox.y1))
    lines = [label.text.split("\n") for label in labels]
    widths = [_LABEL_POINTS * 0.72 * max(map(len, each)) for each in lines]
    heights = [_LABEL_POINTS * 1.3 * len(each) for each in lines]
    places = points[:, 1].copy()
    for _ in range(_PASSES):
        for one, other in itertools.combinations(np.argsort(points[:, 1], kind="stable").tolist(), 2):
            beside = (
                points[one, 0] + widths[one] < points[other, 0] or points[other, 0] + widths[other] < points[one, 0]
            )
            overlap = (heights[one] + heights[other]) / 2 - (places[other] - places[one])
            if not beside and overlap > 0:
                places[one] -= overlap / 2
                places[other] += overlap / 2
        for index, height in enumerate(heights):
            places[index] = np.clip(places[index], bottom + height / 2, top - height / 2)
    for label, point, place in zip(labels, points, places, strict=True):
        write_at(
            axes,
            label.text,
            (label.x, label.y),
            (8, float(place - point[1])),
            va="center",
            color=label.colour,
            fontsize=_LABEL_POINTS,
            fontweight="bold",
            annotation_clip=False,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
        )


def short(value: float, unit: str = "") -> str:
    """Return a number with three significant digits: 10,000 is 10k, and 1,200,000 is 1.2M."""
    for limit, suffix in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= limit * 0.9995:
            return f"{value / limit:.3g}{suffix}{unit}"
    return f"{value:.3g}{unit}"


def duration(microseconds: float) -> str:
    """Return a time given in µs, in the unit that reads best: µs, ms or s."""
    for limit, unit in ((1e6, "s"), (1e3, "ms")):
        if microseconds >= limit * 0.9995:
            return f"{microseconds / limit:.3g} {unit}"
    return f"{microseconds:.3g} µs"


def dashed_line(axes: Axes, level: float, colour: str = FAINT, zorder: int = 1) -> None:
    """Draw a dashed line across the axes at a level that measured values are compared with."""
    axes.axhline(level, color=colour, linestyle=(0, (5, 4)), linewidth=1.3, zorder=zorder)


def promise_line(axes: Axes, level: float, text: str) -> None:
    """Draw a dashed line across the axes at a promised level, with its name on its left end."""
    dashed_line(axes, level)
    write_at(
        axes,
        text,
        (0, level),
        (4, 3),
        share_of_width=True,
        color=FAINT,
        fontsize=11,
        zorder=4,  # above the lines of the data; the white edge keeps it legible where it crosses one
        path_effects=[withStroke(linewidth=2.5, foreground="white")],
    )


SHORT = FuncFormatter(lambda value, _: short(value))  #: for an axis of numbers
DURATION = FuncFormatter(lambda value, _: duration(value))  #: for an axis of µs
