"""The names of systems beside their rows, those of LightBroker in blue."""

from collections.abc import Mapping

from matplotlib.axes import Axes

from lightbroker.lab.bench.systems import LIGHT
from lightbroker.lab.figures.plots.frame import BLUE, GREY


def system_colour(name: str) -> str:
    """Return blue for LightBroker on any of its stores, and grey for another system."""
    return BLUE if name.startswith(LIGHT) else GREY


def name_rows(axes: Axes, names: Mapping[int, str], fontsize: float) -> None:
    """Write the names of systems on the vertical axis, in their colours.

    Args:
        axes: The panel.
        names: By the height of the row.
        fontsize: In points.
    """
    axes.set_yticks(list(names), list(names.values()), fontsize=fontsize)
    for label, name in zip(axes.get_yticklabels(), names.values(), strict=True):
        label.set_color(system_colour(name))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
