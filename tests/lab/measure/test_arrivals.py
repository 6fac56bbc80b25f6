"""Planned arrivals: their mean rate, their shape, and that every call plans the same."""

import numpy as np
import pytest

from lightbroker.lab.measure.arrivals import BURST, SHAPES, constant


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_starts_at_zero_in_order_and_keeps_the_mean_rate(shape: str) -> None:
    offsets = SHAPES[shape](1_000.0, 10_000)
    assert offsets.dtype == np.int64
    assert offsets[0] == 0
    assert (np.diff(offsets) >= 0).all()
    assert 10_000 / (offsets[-1] / 1e9) == pytest.approx(1_000, rel=0.11), "on-off ends with the last on phase"
    assert (offsets == SHAPES[shape](1_000.0, 10_000)).all()


def variability(shape: str) -> float:
    gaps = np.diff(SHAPES[shape](1_000.0, 20_000)) / 1e6
    return float(gaps.var() / gaps.mean() ** 2)


def test_the_shapes_differ_in_what_makes_queues_long() -> None:
    assert variability("constant") == pytest.approx(0, abs=1e-9)
    assert variability("poisson") == pytest.approx(1, rel=0.1)
    assert variability("burst") == pytest.approx(BURST - 1, rel=0.05)
    assert variability("on-off") > 5
    assert variability("recorded") > 2, "duplicates, gaps and the outage"


@pytest.mark.parametrize("shape", SHAPES)
def test_a_rate_or_a_number_that_makes_no_sense_is_refused(shape: str) -> None:
    with pytest.raises(ValueError, match="rate"):
        SHAPES[shape](0, 10)
    with pytest.raises(ValueError, match="messages"):
        SHAPES[shape](10, 0)


def test_the_constant_plan_does_not_drift() -> None:
    assert constant(3.0, 3_000_001)[-1] == pytest.approx(1e15, abs=10)
