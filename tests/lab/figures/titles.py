"""What the figure of a notebook says of made-up data."""

from typing import Any

import matplotlib.pyplot as plt

from lightbroker.lab.figures.catalogue import DRAWINGS
from lightbroker.lab.measure.machine import describe
from lightbroker.lab.measure.results import Scene


def title(name: str, **data: Any) -> str:
    """Draw the figure of that name from the data, and return its title in one line."""
    draw = next(drawing.draw for drawing in DRAWINGS if drawing.name == name)
    figure = draw(Scene(name, "full", describe(), data))
    figure.canvas.draw()  # what cannot be laid out shows here
    plt.close(figure)
    return str(figure.get_suptitle()).replace("\n", " ")
