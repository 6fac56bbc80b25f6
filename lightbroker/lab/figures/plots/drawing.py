"""What makes a figure a committed one: its names, and how it comes from its data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure


class Drawing(NamedTuple):
    """A committed figure.

    Attributes:
        name: The picture is `figures/NAME.png`.
        data: The data are `figures/data/DATA.json`; None for a picture that is drawn from no data.
        read: Reads that file.
        draw: Draws the figure from what was read. The function has the name of the picture.
        shows: A sentence on what the figure shows.
        measured_by: The command that measures the data.
    """

    name: str
    data: str | None
    read: Callable[[Path], Any]
    draw: Callable[[Any], Figure]
    shows: str
    measured_by: str = "make experiments"
