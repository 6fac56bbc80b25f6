"""The Universal Scalability Law: throughput over the number of workers, with what it costs to share and to agree.

    X(n) = rate n / (1 + contention (n - 1) + coherency n (n - 1))

Contention is the serial share (Amdahl); coherency is the work that each pair of workers makes for the other, and the
reason why a curve can fall. Source: Gunther, "Guerrilla Capacity Planning" (2007).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

_RESAMPLES = 1_000


@dataclass(frozen=True)
class Usl:
    """The law with its three parameters; rate is the throughput of one worker, in messages/s."""

    rate: float
    contention: float
    coherency: float

    def __call__(self, workers: ArrayLike) -> NDArray[np.float64]:
        """Throughput with that many workers, in messages/s."""
        n = np.asarray(workers, dtype=float)
        throughput: NDArray[np.float64] = self.rate * n / (1 + self.contention * (n - 1) + self.coherency * n * (n - 1))
        return throughput

    @property
    def peak(self) -> float:
        """The number of workers beyond which throughput falls; infinite without coherency costs."""
        if self.coherency == 0:
            return math.inf
        return math.sqrt(max(0.0, 1 - self.contention) / self.coherency)


@dataclass(frozen=True)
class UslFit:
    """The law fitted to measured runs, and the laws fitted to resampled ones."""

    law: Usl
    resampled: tuple[Usl, ...]

    def band(self, workers: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The 95 % bootstrap interval of the throughput with that many workers: its low and its high edge."""
        curves = np.array([law(workers) for law in self.resampled])
        low, high = np.percentile(curves, (2.5, 97.5), axis=0)
        return low, high

    def interval(self, parameter: str) -> tuple[float, float]:
        """The 95 % bootstrap interval of `rate`, `contention`, `coherency` or `peak`."""
        # Nearest ranks: interpolating between two infinite peaks would give no number.
        values = np.sort([getattr(law, parameter) for law in self.resampled])
        return float(values[int(0.025 * len(values))]), float(values[math.ceil(0.975 * len(values)) - 1])


def fit(runs: Mapping[int, Sequence[float]], seed: int) -> UslFit:
    """Fit the law to the throughputs of several runs for each number of workers.

    The law is linear in 1/rate, contention/rate and coherency/rate once it is turned over, n / X(n); non-negative least
    squares on the relative error finds them without a starting point, and never a negative cost. The interval comes
    from drawing the runs anew, for each number of workers on its own. Raises ValueError for fewer than four different
    numbers of workers, since three parameters go through any three points, and for a throughput that is not positive.
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
