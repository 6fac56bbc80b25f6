"""What every figure shares: the style, the finding on top, the machine at the bottom, labels beside what they name."""

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
from matplotlib.ticker import FuncFormatter

STYLE = Path(__file__).parents[1] / "lightbroker.mplstyle"
BLUE, RED, GREEN, PINK, YELLOW, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555"
COLOURS = (BLUE, RED, GREEN, PINK, YELLOW, SKY, GREY)
FAINT = "#777777"
_TITLE_CHARACTERS = 66
_CAPTION_CHARACTERS = 118
_LABEL_POINTS = 12
_NO_BREAK = "\N{NO-BREAK SPACE}"
_PASSES = 50  # of pushing labels apart
_P = ParamSpec("_P")
_R = TypeVar("_R")


class Label(NamedTuple):
    """A text at a point of the data, in the colour of what it names."""

    x: float
    y: float
    text: str
    colour: str


def styled(draw: Callable[_P, _R]) -> Callable[_P, _R]:
    """Draw in the style of the file, whatever the caller's own settings are."""

    @wraps(draw)
    def drawn(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with plt.rc_context(), plt.style.context(["default", STYLE]):
            return draw(*args, **kwargs)

    return drawn


def frame(title: str, caption: str, rows: int = 1, columns: int = 1, height: float = 5.2) -> tuple[Figure, list[Axes]]:
    """A figure with the finding as its title and `caption` as its last line; its panels row by row."""
    figure, axes = plt.subplots(rows, columns, figsize=(9.0, height), squeeze=False)
    figure.suptitle(
        _wrapped(title, _TITLE_CHARACTERS), x=0.012, ha="left", fontsize=15, fontweight="bold", linespacing=1.25
    )
    figure.supxlabel(textwrap.fill(caption, _CAPTION_CHARACTERS), x=0.012, ha="left", fontsize=9.5, color=FAINT)
    return figure, list(axes.flat)


def _wrapped(text: str, width: int) -> str:
    """The text in lines of at most `width` characters; a number keeps its unit."""
    joined = re.sub(r"(?<=\d) (?=(?:µs|ms|s|messages/s|%)\b|%)", _NO_BREAK, text)
    return textwrap.fill(joined, width).replace(_NO_BREAK, " ")


def caption(machine: Mapping[str, Any], note: str = "") -> str:
    """The last line of a figure: on what and when it was measured, and `note` on how."""
    gil = "GIL" if machine["gil"] else "no GIL"
    python = f"{str(machine['python_build']).partition(',')[0]} {machine['python']} ({gil})"
    day = str(machine["date"])[:10]
    return " · ".join(filter(None, (f"{machine['cpu']}, {machine['cores_usable']} cores", python, day, note)))


def save(figure: Figure, path: Path) -> None:
    """Write a PNG file whose bytes depend on the data and on matplotlib's version alone, and close the figure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with plt.style.context(["default", STYLE]):
        figure.savefig(path, format="png", metadata={"Software": None})
    plt.close(figure)


def label_ends(axes: Axes, labels: Sequence[Label]) -> None:
    """Write each label to the right of its point, moved up or down as far as it takes not to touch the others.

    Call it when everything else is drawn: it reads the limits of the axes.
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
        axes.annotate(
            label.text,
            (label.x, label.y),
            xytext=(8, float(place - point[1])),
            textcoords="offset points",
            va="center",
            color=label.colour,
            fontsize=_LABEL_POINTS,
            fontweight="bold",
            annotation_clip=False,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
        )


def short(value: float, unit: str = "") -> str:
    """A number as a person writes it on a board: 10,000 is 10k, 1,200,000 is 1.2M."""
    for limit, suffix in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= limit * 0.9995:
            return f"{value / limit:.3g}{suffix}{unit}"
    return f"{value:.3g}{unit}"


def duration(microseconds: float) -> str:
    """Microseconds, milliseconds or seconds, whichever reads best."""
    for limit, unit in ((1e6, "s"), (1e3, "ms")):
        if microseconds >= limit * 0.9995:
            return f"{microseconds / limit:.3g} {unit}"
    return f"{microseconds:.3g} µs"


def promise_line(axes: Axes, level: float, text: str) -> None:
    """A dashed line across the axes at a promised level, with its name on it."""
    axes.axhline(level, color=FAINT, linestyle=(0, (5, 4)), linewidth=1.3, zorder=1)
    axes.annotate(
        text,
        (0, level),
        xycoords=axes.get_yaxis_transform(),
        xytext=(4, 3),
        textcoords="offset points",
        color=FAINT,
        fontsize=11,
        zorder=4,  # above the lines of the data, which it may meet and must not hide
        path_effects=[withStroke(linewidth=2.5, foreground="white")],
    )


SHORT = FuncFormatter(lambda value, _: short(value))
DURATION = FuncFormatter(lambda value, _: duration(value))
