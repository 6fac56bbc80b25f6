"""The fit of the Universal Scalability Law against curves whose parameters are known."""

import math

import numpy as np
import pytest

from lightbroker.lab.theory.usl import Usl, UslFit, fit

WORKERS = (1, 2, 4, 8, 16, 32, 64)


def measured(law: Usl, noise: float, seed: int = 1) -> dict[int, list[float]]:
    rng = np.random.default_rng(seed)
    return {n: [float(law(n)) * rng.normal(1, noise) for _ in range(5)] for n in WORKERS}


@pytest.mark.parametrize("law", [Usl(1_000, 0.05, 0.001), Usl(500, 0.3, 0.0), Usl(10, 0.0, 0.0)])
def test_a_curve_without_noise_gives_its_parameters_back(law: Usl) -> None:
    found = fit(measured(law, 0), seed=1).law
    assert (found.rate, found.contention, found.coherency) == pytest.approx(
        (law.rate, law.contention, law.coherency), rel=1e-6, abs=1e-9
    )


def test_amdahl_and_the_peak_are_what_they_are_in_gunthers_book() -> None:
    assert Usl(100, 0.1, 0.0)(1e9) == pytest.approx(1_000), "the limit is one over the serial share"
    law = Usl(100, 0.05, 0.001)
    assert law.peak == pytest.approx(math.sqrt(0.95 / 0.001))
    assert law(law.peak) > max(law(law.peak - 1), law(law.peak + 1))
    assert Usl(100, 0.1, 0.0).peak == math.inf


def test_noise_never_makes_a_cost_negative() -> None:
    falling_costs = {n: [100.0 * n * (1 + n / 100)] for n in WORKERS}  # faster than linear
    found = fit(falling_costs, seed=1).law
    assert found.contention == found.coherency == 0.0


def test_the_interval_holds_the_truth_and_repeats_with_its_seed() -> None:
    law = Usl(1_000, 0.05, 0.001)
    found = fit(measured(law, 0.05), seed=3)
    assert isinstance(found, UslFit)
    assert found == fit(measured(law, 0.05), seed=3)
    for name in ("rate", "contention", "coherency", "peak"):
        low, high = found.interval(name)
        assert low <= getattr(found.law, name) <= high
    low, high = found.band(WORKERS)
    inside = (low * 0.97 <= law(WORKERS)) & (law(WORKERS) <= high * 1.03)
    assert inside.sum() >= 5


@pytest.mark.parametrize("runs", [{1: [1.0], 2: [2.0], 3: [3.0]}, {1: [1.0], 2: [0.0], 3: [1.0], 4: [1.0]}])
def test_too_few_points_or_no_throughput_are_refused(runs: dict[int, list[float]]) -> None:
    with pytest.raises(ValueError, match="runs"):
        fit(runs, seed=1)
