"""Statistics that say what the sample supports: percentiles with a size rule, bootstrap intervals, paired ratios."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

_TAIL_SAMPLES = 100  # about 10 % standard error on the number of samples beyond the percentile
_RESAMPLES = 10_000


class Estimate(NamedTuple):
    """A median and its 95 % bootstrap interval, in the unit of the values."""

    median: float
    low: float
    high: float


def samples_needed(percent: float) -> int:
    """How many samples a percentile takes: 100 beyond it, so 10,000 for p99 and 100,000 for p99.9."""
    if not 0 < percent < 100:
        raise ValueError(f"percent must be between 0 and 100, not {percent!r}")
    return round(_TAIL_SAMPLES / (1 - percent / 100))


def percentile(samples: ArrayLike, percent: float) -> float | None:
    """The nearest-rank percentile, a value that was observed, or None if the samples are too few to support it."""
    values = np.asarray(samples)
    if values.size < samples_needed(percent):
        return None
    # np.percentile divides 99.9 by 100 first, and lands one rank too high for 100,000 samples.
    rank = math.ceil(values.size * percent / 100)
    return float(np.partition(values, rank - 1)[rank - 1])


def median_interval(values: Sequence[float], seed: int) -> Estimate:
    """The median over runs with its percentile-bootstrap interval.

    With five runs the interval comes out as good as the full range of the runs; that is what five runs can support.
    """
    if not values:
        raise ValueError("values must hold at least one run")
    runs = np.asarray(values, dtype=float)
    draws = np.random.default_rng(seed).choice(runs, size=(_RESAMPLES, runs.size))
    low, high = np.percentile(np.median(draws, axis=1), (2.5, 97.5))
    return Estimate(float(np.median(runs)), float(low), float(high))


def noise_floor(first: Mapping[int, float], twin: Mapping[int, float], seed: int) -> float:
    """By which factor at most a system differs from itself, from an A/A pair paired by block: 1.1 is 10 %.

    A ratio of two systems that lies nearer to 1 than this is noise. Raises ValueError if no block has both.
    """
    ratio = median_interval(paired_ratios(first, twin), seed)
    return max(ratio.high, 1 / ratio.low)


def agree(one: Estimate, other: Estimate) -> bool:
    """Whether the intervals of two measurements of the same thing overlap: they do not contradict each other."""
    return one.low <= other.high and other.low <= one.high


def paired_ratios(numerators: Mapping[int, float], denominators: Mapping[int, float]) -> list[float]:
    """The ratio within each block that has both, in the order of the blocks: what drifts between blocks cancels."""
    return [numerators[block] / denominators[block] for block in sorted(numerators.keys() & denominators.keys())]
