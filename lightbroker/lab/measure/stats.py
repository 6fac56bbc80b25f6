"""Statistics that claim no more than the sample supports.

Percentiles need enough samples, medians come with a bootstrap interval, and ratios are paired by block.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

_TAIL_SAMPLES = 100  # beyond a percentile; the standard error of their number is then about 10 %
_RESAMPLES = 10_000  # of the bootstrap


class Estimate(NamedTuple):
    """A median and its 95 % bootstrap interval from `low` to `high`, in the unit of the values."""

    median: float
    low: float
    high: float


def samples_needed(percent: float) -> int:
    """Return how many samples a percentile needs so that 100 lie beyond it: 10,000 for p99, 100,000 for p99.9.

    Raises:
        ValueError: `percent` is not between 0 and 100.
    """
    if not 0 < percent < 100:
        raise ValueError(f"percent must be between 0 and 100, not {percent!r}")
    return round(_TAIL_SAMPLES / (1 - percent / 100))


def percentile(samples: ArrayLike, percent: float) -> float | None:
    """Return the nearest-rank percentile, or None if there are fewer than `samples_needed(percent)` samples.

    The result is one of the samples: nothing is interpolated.
    """
    values = np.asarray(samples)
    if values.size < samples_needed(percent):
        return None
    # np.percentile divides 99.9 by 100 first; rounding then puts it one rank too high for 100,000 samples.
    rank = math.ceil(values.size * percent / 100)
    return float(np.partition(values, rank - 1)[rank - 1])


def median_interval(values: Sequence[float], seed: int) -> Estimate:
    """Return the median of the runs with its percentile-bootstrap interval.

    With five runs the interval is almost the range of the runs. Five runs support no more than that.

    Args:
        values: The value of each run.
        seed: Seed of the bootstrap; the same seed gives the same interval.

    Raises:
        ValueError: There are no runs.
    """
    if not values:
        raise ValueError("values must hold at least one run")
    runs = np.asarray(values, dtype=float)
    draws = np.random.default_rng(seed).choice(runs, size=(_RESAMPLES, runs.size))
    low, high = np.percentile(np.median(draws, axis=1), (2.5, 97.5))
    return Estimate(float(np.median(runs)), float(low), float(high))


def noise_floor(first: Mapping[int, float], twin: Mapping[int, float], seed: int) -> float:
    """Return the largest factor by which a system differs from itself in an A/A pair; 1.1 stands for 10 %.

    A ratio of two systems that is nearer to 1 than this factor is noise.

    Args:
        first: The value of the system in each block.
        twin: The value of the same system under its second name, in each block.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: No block has both.
    """
    ratio = median_interval(paired_ratios(first, twin), seed)
    return max(ratio.high, 1 / ratio.low)


def agree(one: Estimate, other: Estimate) -> bool:
    """Return whether the intervals overlap, so that the two measurements do not contradict each other."""
    return one.low <= other.high and other.low <= one.high


def paired_ratios(numerators: Mapping[int, float], denominators: Mapping[int, float]) -> list[float]:
    """Return the ratio within each block that has both values, in the order of the blocks.

    What changes from block to block, such as the speed of the machine, cancels out.
    """
    return [numerators[block] / denominators[block] for block in sorted(numerators.keys() & denominators.keys())]
