"""A prediction from measured times, and the warnings where its assumptions fail; all times here are simulated."""

import numpy as np
import pytest

from lightbroker.lab.theory.prediction import predict
from lightbroker.lab.theory.queueing import MM1
from lightbroker.lab.theory.simulation import simulate

N = 50_000
RNG = np.random.default_rng
POISSON = np.cumsum(RNG(1).exponential(1.0, N))
EXPONENTIAL = RNG(2).exponential(0.7, N)


def test_where_every_assumption_holds_the_models_agree_and_nothing_is_doubted() -> None:
    found = predict(POISSON, EXPONENTIAL)
    assert found.warnings == ()
    assert found.utilisation == pytest.approx(0.7, rel=0.03)
    exponential = MM1(1 / float(np.diff(POISSON).mean()), float(EXPONENTIAL.mean())).wait
    assert found.wait == pytest.approx(exponential, rel=0.1) == pytest.approx(0.7 * 0.7 / 0.3, rel=0.15)
    assert found.replayed_wait == pytest.approx(found.wait, rel=0.15)


def test_no_false_alarm_in_many_sound_measurements() -> None:
    alarms = 0
    for seed in range(60):
        rng = RNG(seed)
        alarms += bool(predict(np.cumsum(rng.exponential(1.0, 5_000)), rng.exponential(0.5, 5_000)).warnings)
    assert alarms <= 6


def test_several_servers_share_the_load() -> None:
    found = predict(POISSON, EXPONENTIAL * 3, servers=3)
    assert found.utilisation == pytest.approx(0.7, rel=0.03)
    assert found.wait == pytest.approx(simulate(POISSON, EXPONENTIAL * 3, 3).wait.mean(), rel=0.2)


def test_overload_has_no_prediction_but_a_replay() -> None:
    found = predict(POISSON, EXPONENTIAL * 2)
    assert found.wait is None
    assert found.replayed_wait > 1_000
    assert "overloaded: utilisation 1.4" in found.warnings[0]


@pytest.mark.parametrize(
    ("arrivals", "services", "warning"),
    [
        (np.arange(N) * 1.0, EXPONENTIAL, "arrivals are not exponential: squared coefficient of variation 0.00"),
        (POISSON, np.full(N, 0.7), "services are not exponential"),
        (POISSON, EXPONENTIAL * 1.36, "near saturation"),
        (POISSON[:100], EXPONENTIAL[:100], "only 100 messages"),
        (np.cumsum(RNG(1).exponential(np.linspace(1.2, 0.8, N))), EXPONENTIAL, "not stationary: .* arrivals"),
        (POISSON, EXPONENTIAL * np.linspace(0.8, 1.2, N), "not stationary: services"),
        (POISSON, np.repeat(EXPONENTIAL[: N // 10], 10), r"services are correlated: \+0\.9"),
        (np.cumsum(RNG(1).exponential(np.tile(np.repeat([0.5, 2.0], 500), 50))), EXPONENTIAL, "bursts"),
    ],
)
def test_an_assumption_that_fails_is_named(arrivals: np.ndarray, services: np.ndarray, warning: str) -> None:
    with pytest.raises(AssertionError, match=warning):
        raise AssertionError("\n".join(predict(arrivals, services).warnings))


def test_constant_services_are_not_correlated_by_their_rounding() -> None:
    services = np.full(5_000, 0.7)  # their standard deviation is not 0, in floating point
    found = predict(np.cumsum(RNG(3).exponential(1.0, 5_000)), services)
    assert not any("services are correlated" in warning for warning in found.warnings)


def test_constant_times_give_a_wait_of_nothing() -> None:
    found = predict(np.arange(2_000) * 1.0, np.full(2_000, 0.9))
    assert (found.wait, found.replayed_wait) == pytest.approx((0.0, 0.0), abs=1e-12)


@pytest.mark.parametrize(("arrivals", "services"), [([0, 1], [1, 1]), ([1, 1, 1], [1, 1, 1]), ([0, 1, 2], [0, 0, 0])])
def test_too_little_to_predict_from_is_refused(arrivals: list[float], services: list[float]) -> None:
    with pytest.raises(ValueError, match="arrivals must be at least three"):
        predict(arrivals, services)
