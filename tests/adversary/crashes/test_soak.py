"""Memory, threads and descriptors do not grow; and the measurement sees a leak."""

import numpy as np
import pytest

from lightbroker import Overflow
from tests.adversary.crashes import soak


def test_threads_and_descriptors_do_not_grow_under_load() -> None:
    report = soak.soak(3.0, 2000)
    assert {"threads", "descriptors"}.isdisjoint(report["grows"])
    assert min(report["acked"], report["retried"], report["dead"], report["expired"]) > 0


def test_a_leak_is_seen() -> None:
    assert "traced" in soak.soak(3.0, 2000, leak=True)["grows"]


@pytest.mark.parametrize("policy", Overflow)
def test_memory_stays_in_its_bound_when_the_consumer_stalls(policy: Overflow) -> None:
    counts = soak.stall(policy, 5_000)
    assert counts["held"] == soak.CAPACITY
    assert counts["peak"] < counts["bound"]


@pytest.mark.parametrize(("growth", "grows"), [(0.0, False), (0.01, True)])
def test_a_slope_is_told_from_noise(growth: float, grows: bool) -> None:
    times = np.arange(200.0)
    noise = np.random.default_rng(1).normal(0.0, 0.1, 200)
    low, high = soak.slope(times, growth * times + noise)
    assert (low > 0.0) is grows
    assert low < growth < high
