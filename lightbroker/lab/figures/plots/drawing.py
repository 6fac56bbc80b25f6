"""One committed figure: its names, and how it comes from its data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure


class Drawing(NamedTuple):
    """A figure's file name, the data that it is drawn from, how that is read and drawn, and a line on what it shows.

    data: the name of the file in `figures/data/`, None for a picture of none; made: the command that measures it.
    """

    name: str
    data: str | None
    read: Callable[[Path], Any]
    draw: Callable[[Any], Figure]
    line: str
    made: str = "make experiments"
