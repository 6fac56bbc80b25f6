"""Statistics against values known beforehand."""

import numpy as np
import pytest

from lightbroker.lab.measure.stats import (
    Estimate,
    agree,
    median_interval,
    noise_floor,
    paired_ratios,
    percentile,
    samples_needed,
)


@pytest.mark.parametrize(("percent", "samples"), [(50, 200), (90, 1_000), (99, 10_000), (99.9, 100_000)])
def test_a_percentile_needs_a_hundred_samples_beyond_it(percent: float, samples: int) -> None:
    assert samples_needed(percent) == samples
    values = np.arange(1, samples + 1)
    assert percentile(values, percent) == pytest.approx(samples * percent / 100)
    assert percentile(values[1:], percent) is None


@pytest.mark.parametrize("percent", [0, 100, -1])
def test_a_percentile_lies_between_0_and_100(percent: float) -> None:
    with pytest.raises(ValueError, match=f"percent .* not {percent}"):
        samples_needed(percent)


def test_a_percentile_is_a_value_that_was_observed() -> None:
    assert percentile([0.0] * 100 + [1.0] * 100, 50) == 0.0


def test_the_interval_of_constant_runs_is_a_point() -> None:
    assert median_interval([3.0] * 5, seed=1) == (3.0, 3.0, 3.0)


def test_the_interval_lies_within_the_runs_and_repeats_with_its_seed() -> None:
    runs = [1.0, 2.0, 4.0, 8.0, 16.0]
    found = median_interval(runs, seed=7)
    assert found == median_interval(runs, seed=7)
    assert found.median == 4.0
    assert 1.0 <= found.low < 4.0 < found.high <= 16.0


def test_the_interval_needs_a_run() -> None:
    with pytest.raises(ValueError, match="values"):
        median_interval([], seed=1)


def test_the_interval_covers_the_true_median_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    found = [median_interval(rng.normal(10.0, 1.0, 25).tolist(), seed) for seed in range(200)]
    covered = sum(each.low <= 10.0 <= each.high for each in found)
    assert 0.90 <= covered / len(found) <= 0.99


def test_ratios_are_paired_within_their_block() -> None:
    assert paired_ratios({2: 6.0, 0: 2.0, 5: 1.0}, {0: 1.0, 2: 2.0, 9: 1.0}) == [2.0, 3.0]


def test_pairing_cancels_what_drifts_between_blocks() -> None:
    drift = {block: 1.5**block for block in range(5)}
    ratios = paired_ratios({block: 2 * speed for block, speed in drift.items()}, drift)
    assert median_interval(ratios, seed=1) == (2.0, 2.0, 2.0)


def test_the_noise_floor_is_how_far_a_system_is_from_itself_in_either_direction() -> None:
    first = {0: 10.0, 1: 10.0, 2: 10.0}
    assert noise_floor(first, first, seed=1) == 1.0
    assert noise_floor(first, {0: 8.0, 1: 8.0, 2: 8.0}, seed=1) == pytest.approx(1.25)
    assert noise_floor({0: 8.0}, {0: 10.0}, seed=1) == pytest.approx(1.25)
    with pytest.raises(ValueError, match="values"):
        noise_floor({0: 1.0}, {1: 1.0}, seed=1)


def test_two_measurements_agree_if_their_intervals_overlap() -> None:
    assert agree(Estimate(2, 1, 3), Estimate(4, 3, 5))
    assert not agree(Estimate(2, 1, 3), Estimate(5, 4, 6))
    assert not agree(Estimate(5, 4, 6), Estimate(2, 1, 3))
