"""`make figures`: draws every committed figure from the files in `figures/data/`, without measuring anything."""

import sys
from pathlib import Path

import matplotlib

from lightbroker.lab.figures import (
    architecture,
    backpressure,
    latency,
    peers,
    pubsub,
    retries,
    scaling,
    storage,
    throughput,
    watcher,
)
from lightbroker.lab.figures.plots.frame import save

FOLDER = Path("figures")  #: below the current folder
#: Every committed figure.
DRAWINGS = (
    *architecture.DRAWINGS,
    *pubsub.DRAWINGS,
    *backpressure.DRAWINGS,
    *retries.DRAWINGS,
    *watcher.DRAWINGS,
    *throughput.DRAWINGS,
    *latency.DRAWINGS,
    *storage.DRAWINGS,
    *peers.DRAWINGS,
    *scaling.DRAWINGS,
)


def main() -> int:
    """Draw every figure whose data is there, and name the others.

    Returns:
        The exit code: 1 if a file of data holds something else, and 0 otherwise.
    """
    matplotlib.use("Agg")  # this backend writes files and needs no screen
    wrong = 0
    for drawing in DRAWINGS:
        path = FOLDER / "data" / f"{drawing.data}.json"
        try:
            save(drawing.draw(drawing.read(path)), FOLDER / f"{drawing.name}.png")
            print(f"{FOLDER / drawing.name}.png")
        except FileNotFoundError:
            print(f"{drawing.name}: no {path} yet; {drawing.measured_by}")
        except ValueError as error:
            print(f"{drawing.name}: {error}", file=sys.stderr)
            wrong = 1
    return wrong
