"""`make figures`: every figure of `figures/`, drawn from the files in `figures/data/` without measuring anything."""

import sys
from pathlib import Path

import matplotlib

from lightbroker.lab.figures import (
    architecture,
    backpressure,
    experiments,
    peers,
    pubsub,
    queue,
    retries,
    scaling,
    storage,
    watcher,
)
from lightbroker.lab.figures.plots.frame import save

FOLDER = Path("figures")
#: In the order of the notebooks.
DRAWINGS = (
    *architecture.DRAWINGS,
    *queue.DRAWINGS,
    *pubsub.DRAWINGS,
    *backpressure.DRAWINGS,
    *retries.DRAWINGS,
    *watcher.DRAWINGS,
    *experiments.DRAWINGS,
    *storage.DRAWINGS,
    *peers.DRAWINGS,
    *scaling.DRAWINGS,
)


def main() -> int:
    """Draw what there is data for, and say what there is not; returns 1 if a file holds something else."""
    matplotlib.use("Agg")  # it draws files and needs no screen
    wrong = 0
    for drawing in DRAWINGS:
        path = FOLDER / "data" / f"{drawing.data}.json"
        try:
            save(drawing.draw(drawing.read(path)), FOLDER / f"{drawing.name}.png")
            print(f"{FOLDER / drawing.name}.png")
        except FileNotFoundError:
            print(f"{drawing.name}: no {path} yet; {drawing.made}")
        except ValueError as error:
            print(f"{drawing.name}: {error}", file=sys.stderr)
            wrong = 1
    return wrong
