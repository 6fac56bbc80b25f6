"""A notebook's frame: which scale it runs at, on what, and its figures.

At `full` scale a figure's data goes to `figures/data/` and its picture to `figures/`, from where `make figures` draws
the same picture again; at `quick` scale, which is for continuous integration, nothing is written.
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
    """The frame of the notebook that makes it, in a folder beside `figures/`; prints what the page runs on.

    The environment variable LIGHTBROKER_SCALE is `full` (what is committed, and the default) or `quick`; anything else
    raises ValueError.
    """

    def __init__(self) -> None:
        self.scale = os.environ.get("LIGHTBROKER_SCALE", "full")
        if self.scale not in SCALES:
            raise ValueError(f"LIGHTBROKER_SCALE is {self.scale!r}, not {' or '.join(SCALES)}")
        self._figures = Path.cwd().parent / "figures"
        self.data = self._figures / "data"  #: the committed results
        self._machine = machine.describe()
        libraries: Any = self._machine["libraries"]
        print(f"LightBroker {libraries['lightbroker']}, {self._machine['python_build']} {self._machine['python']}")
        print(f"{self._machine['cpu']}, {self._machine['cores_usable']} cores, {self._machine['kernel']}")
        print(f"{str(self._machine['date'])[:10]}, scale: {self.scale}")

    def pick(self, *, full: T, quick: T) -> T:
        """The value for the scale that the page runs at."""
        return full if self.scale == "full" else quick

    def figure(self, name: str, **data: Any) -> Image:
        """The figure of that name, drawn from `data` as `figures.DRAWINGS` says; kept at full scale.

        data: what JSON can hold, by name. Raises ValueError for a name that no drawing has, or one that needs no data.
        """
        drawing = _drawing(name)
        if drawing.data is None:
            raise ValueError(f"the drawing {name!r} is drawn from no data: show it with committed()")
        with TemporaryDirectory() as scratch:
            folder = self._figures if self.scale == "full" else Path(scratch)
            path = folder / "data" / f"{drawing.data}.json"
            Scene(drawing.data, self.scale, self._machine, data).write(path)
            # Drawn from the file, as `make figures` does: what JSON does not keep cannot show.
            return _draw(drawing, path, folder)

    def committed(self, name: str) -> Image:
        """The figure of that name, drawn from what is committed in `figures/data/`; measures and writes nothing.

        Raises ValueError for a name that no drawing has, and FileNotFoundError if its data is not there.
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
