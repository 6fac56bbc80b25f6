"""The Universal Scalability Law: throughput by the number of workers.

    X(n) = rate n / (1 + contention (n - 1) + coherency n (n - 1))

Contention is the share of the work that only one worker can do at a time (Amdahl's law). Coherency is the work that
each pair of workers causes each other. It is the reason why a curve can fall. Source: Gunther, "Guerrilla Capacity
Planning" (2007).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

_RESAMPLES = 1_000  # of the bootstrap


@dataclass(frozen=True)
class Usl:
    """The law with its three parameters. Call it to get the throughput of a number of workers.

    Attributes:
        rate: Throughput of one worker, in messages/s.
        contention: A share, 0 for none.
        coherency: A share, 0 for none.
    """

    rate: float
    contention: float
    coherency: float

    def __call__(self, workers: ArrayLike) -> NDArray[np.float64]:
        """Return the throughput of that many workers, in messages/s."""
        n = np.asarray(workers, dtype=float)
        throughput: NDArray[np.float64] = self.rate * n / (1 + self.contention * (n - 1) + self.coherency * n * (n - 1))
        return throughput

    @property
    def peak(self) -> float:
        """The number of workers beyond which the throughput falls; infinite if `coherency` is 0."""
        if self.coherency == 0:
            return math.inf
        return math.sqrt(max(0.0, 1 - self.contention) / self.coherency)


@dataclass(frozen=True)
class UslFit:
    """A fit of the law.

    Attributes:
        law: The law fitted to the measured runs.
        resampled: The laws fitted to resampled runs, for the intervals.
    """

    law: Usl
    resampled: tuple[Usl, ...]

    def band(self, workers: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lower and the upper end of the 95 % bootstrap interval of the throughput, in messages/s."""
        curves = np.array([law(workers) for law in self.resampled])
        low, high = np.percentile(curves, (2.5, 97.5), axis=0)
        return low, high

    def interval(self, parameter: str) -> tuple[float, float]:
        """Return the 95 % bootstrap interval of `rate`, `contention`, `coherency` or `peak`."""
        # Nearest ranks, because interpolating between two infinite peaks gives NaN.
        values = np.sort([getattr(law, parameter) for law in self.resampled])
        return float(values[int(0.025 * len(values))]), float(values[math.ceil(0.975 * len(values)) - 1])


def fit(runs: Mapping[int, Sequence[float]], seed: int) -> UslFit:
    """Fit the law to measured throughputs.

    n / X(n) is linear in 1/rate, contention/rate and coherency/rate. Non-negative least squares on the relative error
    finds them without a starting point, and never finds a negative cost. The bootstrap draws anew from the runs of each
    number of workers.

    Args:
        runs: The throughputs of several runs in messages/s, by the number of workers.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: Fewer than four different numbers of workers (three parameters fit any three points), or a
            throughput that is not positive.
    """
    if len(runs) < 4:
        raise ValueError(f"runs must hold at least four different numbers of workers, not {len(runs)}")
    for workers, values in runs.items():
        if not values or not all(0 < value < math.inf for value in values):
            raise ValueError(f"runs: throughputs must be positive, not {list(values)!r} with {workers} workers")
    numbers = np.repeat(np.array(list(runs), dtype=float), [len(values) for values in runs.values()])
    rng = np.random.default_rng(seed)
    resampled = []
    for _ in range(_RESAMPLES):
        drawn = np.concatenate([rng.choice(np.asarray(values), len(values)) for values in runs.values()])
        resampled.append(_fit(numbers, drawn))
    return UslFit(_fit(numbers, np.concatenate([np.asarray(values) for values in runs.values()])), tuple(resampled))


def _fit(workers: NDArray[np.float64], throughput: NDArray[np.float64]) -> Usl:
    terms = np.column_stack((np.ones_like(workers), workers - 1, workers * (workers - 1)))
    (one, contention, coherency), _ = nnls(terms * (throughput / workers)[:, None], np.ones_like(workers))
    return Usl(float(1 / one), float(contention / one), float(coherency / one))
