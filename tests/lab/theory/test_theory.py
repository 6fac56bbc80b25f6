"""Theory against textbook values, and against a simulation as a second oracle."""

import math

import numpy as np
import pytest

from lightbroker.lab.theory.queueing import MD1, MM1, MM1K, GGc, MMc, Model, PausedServer, erlang_c, little
from lightbroker.lab.theory.simulation import simulate

RATE, SERVICE = 8.0, 0.1
MESSAGES = 400_000


def poisson(rate: float = RATE, seed: int = 1) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).exponential(1 / rate, MESSAGES))


def exponential(mean: float = SERVICE, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).exponential(mean, MESSAGES)


@pytest.mark.parametrize(
    ("servers", "load", "waits"),
    [(1, 0.8, 0.8), (2, 1.0, 1 / 3), (100, 80.0, 0.0196), (5, 4.0, 0.5541), (3, 0.0, 0.0)],
)
def test_erlang_c_has_its_textbook_values(servers: int, load: float, waits: float) -> None:
    assert erlang_c(servers, load) == pytest.approx(waits, abs=5e-5)


def test_little_counts_who_is_present() -> None:
    assert little(10_000, 0.001) == 10


def test_a_queue_at_80_percent_has_its_textbook_values() -> None:
    single = MM1(RATE, SERVICE)
    assert (single.utilisation, single.wait, single.response) == pytest.approx((0.8, 0.4, 0.5))
    assert single.present == pytest.approx(4.0)
    assert single.percentile(99) == pytest.approx(0.5 * math.log(100))
    constant = MD1(RATE, SERVICE)
    assert constant.wait == pytest.approx(single.wait / 2)
    assert MMc(1.0, 1.0, 2).wait == pytest.approx(1 / 3)
    assert GGc(RATE, SERVICE).wait == pytest.approx(single.wait)
    assert GGc(RATE, SERVICE, service_scv=0).wait == pytest.approx(constant.wait)


def test_a_full_queue_rejects_as_the_textbook_says() -> None:
    assert MM1K(1.0, 1.0, 3).rejected == pytest.approx(1 / 4)
    over = MM1K(2.0, 1.0, 3)
    assert (over.rejected, over.present) == pytest.approx((8 / 15, 34 / 15))
    assert MM1K(RATE, SERVICE, 1_000).wait == pytest.approx(0.4), "with room enough it is M/M/1"
    assert MM1K(1_000.0, 1.0, 5_000).present == pytest.approx(5_000, rel=0.001), "and no power overflows"


@pytest.mark.parametrize("servers", [1, 3])
def test_mmc_agrees_with_the_simulation(servers: int) -> None:
    model = MMc(RATE, SERVICE * servers, servers)
    simulated = simulate(poisson(), exponential(SERVICE * servers), servers)
    assert simulated.wait.mean() == pytest.approx(model.wait, rel=0.1)
    for percent in (50, 90, 99):
        assert np.percentile(simulated.response, percent) == pytest.approx(model.percentile(percent), rel=0.1)


@pytest.mark.parametrize("utilisation", [0.3, 0.8])
def test_md1_agrees_with_the_simulation(utilisation: float) -> None:
    model = MD1(utilisation, 1.0)
    simulated = simulate(poisson(utilisation), np.ones(MESSAGES))
    assert simulated.wait.mean() == pytest.approx(model.wait, rel=0.1)
    for percent in (10, 50, 90, 99, 99.9):
        assert np.percentile(simulated.response, percent) == pytest.approx(model.percentile(percent), rel=0.15)


@pytest.mark.parametrize("utilisation", [1e-4, 0.5, 0.95, 0.995])
def test_the_percentiles_of_md1_rise_towards_the_exponential_tail(utilisation: float) -> None:
    model = MD1(utilisation, 1.0)
    found = [model.percentile(percent) for percent in (1, 50, 90, 99, 99.9, 99.99)]
    assert found == sorted(found)
    assert found[0] >= 1.0
    assert found[3] <= MM1(utilisation, 1.0).percentile(99) + 1


def test_mm1k_agrees_with_the_simulation() -> None:
    model = MM1K(12.0, SERVICE, 5)
    simulated = simulate(poisson(12.0), exponential(), places=5)
    assert simulated.rejected / MESSAGES == pytest.approx(model.rejected, rel=0.05)
    assert simulated.wait.mean() == pytest.approx(model.wait, rel=0.05)


def test_kingman_is_near_the_simulation_for_times_that_are_neither() -> None:
    rng = np.random.default_rng(3)
    gaps, needs = rng.gamma(2, 1 / RATE / 2, MESSAGES), rng.gamma(0.5, SERVICE / 0.5, MESSAGES)
    simulated = simulate(np.cumsum(gaps), needs)
    assert simulated.wait.mean() == pytest.approx(GGc(RATE, SERVICE, 1, 1 / 2, 2).wait, rel=0.15)


def test_the_vectorised_recursion_is_the_event_loop() -> None:
    arrivals, needs = poisson()[:5_000], exponential()[:5_000]
    one, other = simulate(arrivals, needs), simulate(arrivals, needs, places=10**9)
    assert one.wait == pytest.approx(other.wait)
    assert one.response == pytest.approx(other.response)
    assert simulate([], []).wait.size == 0


def test_a_paused_server_delays_a_tenth_and_its_p99_is_nine_tenths_of_the_pause() -> None:
    assert PausedServer(2.0, 0.2).percentile(99) == pytest.approx(0.18)
    assert PausedServer(2.0, 0.2).percentile(50) == 0.0
    model = PausedServer(2.0, 0.2, utilisation=0.3)
    arrivals = np.arange(40_000) * 0.001
    pause = (np.arange(40_000) % 2_000 == 0) * 0.2
    simulated = simulate(arrivals, 0.0003 + pause)
    for percent in (90, 99, 99.9):
        assert np.percentile(simulated.response, percent) == pytest.approx(model.percentile(percent), abs=0.002)
    assert (simulated.response > 0.1).mean() == pytest.approx(model.exceeds(0.1), abs=0.002)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: MM1(10, 0.1), "no steady state"),
        (lambda: MMc(30, 0.1, 3), "no steady state"),
        (lambda: MD1(0, 0.1), "rate"),
        (lambda: MM1(1, math.inf), "service"),
        (lambda: PausedServer(2, 2), "pause"),
        (lambda: MM1(1, 0.1).percentile(100), "percent"),
        (lambda: erlang_c(0, 0), "servers"),
        (lambda: erlang_c(2, 2), "load"),
        (lambda: simulate([0, 1], [1]), "services"),
        (lambda: simulate([1, 0], [1, 1]), "arrivals"),
        (lambda: simulate([0], [1], servers=0), "servers"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(make: object, named: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=named):
        make()


@pytest.mark.parametrize("model", [MM1(RATE, SERVICE), MMc(20, SERVICE, 3), MD1(RATE, SERVICE), GGc(RATE, SERVICE)])
def test_littles_law_holds_in_every_model(model: Model) -> None:
    assert model.present == pytest.approx(model.rate * model.wait + model.rate * model.service)


def test_md1_has_a_percentile_where_a_time_falls_on_the_end_of_a_service() -> None:
    for rate in np.geomspace(1_000, 426_000, 300):
        found = MD1(float(rate), 1 / 435_367).percentile(99)
        assert 1 / 435_367 <= found < 1
