"""Histograms that many threads fill without a lock. Each counts in a tally of its own, and a reader adds the tallies
up.

A count that threads share would need a lock, or would lose some. A tally has one writer at a time. A writer that is
done leaves its tally, with what it holds, to the next writer. So the sum never goes down, and there are never more
tallies than there were writers at the same time.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

#: The upper bounds of the buckets, inclusive, in seconds. Above the last there is one more bucket.
BOUNDS = (
    *(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
)


class Tally:
    """The counts of one writer: a thread, or the tasks of one event loop."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def record(self, seconds: float) -> None:
        """Count one observation. Only the tally's own writer may call it."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds


@dataclass(frozen=True)
class Reading:
    """The sum of all tallies: observations by bucket (not cumulated), and their seconds together."""

    counts: tuple[int, ...]
    seconds: float


class Histogram:
    """How long something took, as counted by all its writers, those that are gone included."""

    def __init__(self) -> None:
        self._tallies: list[Tally] = []
        self._free: deque[Tally] = deque()

    @contextmanager
    def tally(self) -> Iterator[Tally]:
        """Give a tally to one writer, for as long as the context lasts."""
        try:
            mine = self._free.pop()  # one step, so no other writer gets the same tally
        except IndexError:
            mine = Tally()
            self._tallies.append(mine)
        try:
            yield mine
        finally:
            self._free.append(mine)

    def read(self) -> Reading:
        """Return what was counted so far.

        It is exact when no writer is at work; while one is, `seconds` may lag behind `counts`.
        """
        tallies = [Tally(), *self._tallies]
        columns = zip(*(tally.counts.copy() for tally in tallies))
        return Reading(tuple(map(sum, columns)), sum(tally.seconds for tally in tallies))
