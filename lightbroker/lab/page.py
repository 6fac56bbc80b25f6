"""The frame of a notebook: the scale it runs at, the machine it runs on, and its figures.

At the scale `full`, the data of a figure is written to `figures/data/` and its picture to `figures/`. `make figures`
draws the same picture from the data again. At the scale `quick`, which is for continuous integration, nothing is
written.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from IPython.display import Image

from lightbroker.lab.figures.catalogue import DRAWINGS
from lightbroker.lab.figures.plots.drawing import Drawing
from lightbroker.lab.figures.plots.frame import save
from lightbroker.lab.measure import machine
from lightbroker.lab.measure.results import Scene

SCALES = ("full", "quick")
T = TypeVar("T")


class Page:
    """The frame of one notebook. Making it prints what the notebook runs on.

    The current folder has to be beside `figures/`. The environment variable LIGHTBROKER_SCALE is `full`, the default
    and what is committed, or `quick`.

    Attributes:
        scale: "full" or "quick".
        data: The folder of the committed results.

    Raises:
        ValueError: LIGHTBROKER_SCALE is something else.
    """

    def __init__(self) -> None:
        self.scale = os.environ.get("LIGHTBROKER_SCALE", "full")
        if self.scale not in SCALES:
            raise ValueError(f"LIGHTBROKER_SCALE is {self.scale!r}, not {' or '.join(SCALES)}")
        self._figures = Path.cwd().parent / "figures"
        self.data = self._figures / "data"
        self._machine = machine.describe()
        libraries: Any = self._machine["libraries"]
        print(f"LightBroker {libraries['lightbroker']}, {self._machine['python_build']} {self._machine['python']}")
        print(f"{self._machine['cpu']}, {self._machine['cores_usable']} cores, {self._machine['kernel']}")
        print(f"{str(self._machine['date'])[:10]}, scale: {self.scale}")

    def pick(self, *, full: T, quick: T) -> T:
        """Return the argument that has the name of the scale."""
        return full if self.scale == "full" else quick

    def figure(self, name: str, **data: Any) -> Image:
        """Draw a figure from the data of this run; at the scale `full`, write its data and its picture.

        Args:
            name: The name of a drawing in `figures.catalogue.DRAWINGS`.
            data: What the drawing needs, by name, as JSON can hold it.

        Raises:
            ValueError: No drawing has that name, or the drawing needs no data.
        """
        drawing = _drawing(name)
        if drawing.data is None:
            raise ValueError(f"the drawing {name!r} is drawn from no data: show it with committed()")
        with TemporaryDirectory() as scratch:
            folder = self._figures if self.scale == "full" else Path(scratch)
            path = folder / "data" / f"{drawing.data}.json"
            Scene(drawing.data, self.scale, self._machine, data).write(path)
            # Drawn from the file, as `make figures` does, so that both draw only what JSON keeps.
            return _draw(drawing, path, folder)

    def committed(self, name: str) -> Image:
        """Draw a figure from the data that is committed in `figures/data/`; measure and write nothing.

        Raises:
            ValueError: No drawing has that name.
            FileNotFoundError: Its data is not there.
        """
        drawing = _drawing(name)
        with TemporaryDirectory() as scratch:
            return _draw(drawing, self.data / f"{drawing.data}.json", Path(scratch))


def _drawing(name: str) -> Drawing:
    drawing = next((each for each in DRAWINGS if each.name == name), None)
    if drawing is None:
        raise ValueError(f"no drawing is called {name!r}; lightbroker.lab.figures.catalogue.DRAWINGS lists them")
    return drawing


def _draw(drawing: Drawing, data: Path, folder: Path) -> Image:
    picture = folder / f"{drawing.name}.png"
    save(drawing.draw(drawing.read(data)), picture)
    return Image(data=picture.read_bytes())  # type: ignore[no-untyped-call]
