"""The decisions: backoff, and which options make sense."""

import random
from typing import Any

import pytest

from lightbroker import Overflow, Retry
from lightbroker.core.policy import QueueOptions


def waits(retry: Retry, attempts: int) -> list[float]:
    rng = random.Random(retry.seed)
    return [retry.delay(attempt, rng) for attempt in range(1, attempts + 1)]


def test_the_backoff_grows_by_its_factor_up_to_its_cap() -> None:
    assert waits(Retry(base=0.5, factor=3.0, cap=10.0, jitter=False), 5) == [0.5, 1.5, 4.5, 10.0, 10.0]
    assert waits(Retry(base=2.0, factor=1.0, jitter=False), 3) == [2.0, 2.0, 2.0]
    assert waits(Retry(base=5.0, cap=1.0, jitter=False), 2) == [1.0, 1.0]
    assert waits(Retry(base=0.0, jitter=False), 3) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("factor", [2, 2.0, 1e308])
def test_the_backoff_of_a_late_attempt_is_its_cap(factor: float) -> None:
    assert Retry(factor=factor, cap=30.0, jitter=False).delay(10_000, random.Random()) == 30.0


def test_without_a_base_there_is_no_backoff_however_late_the_attempt() -> None:
    assert waits(Retry(base=0.0, jitter=False), 1_025)[-1] == 0.0


def test_full_jitter_spreads_between_nothing_and_the_backoff() -> None:
    retry, rng = Retry(base=4.0, factor=2.0, cap=100.0), random.Random(1)
    drawn = [retry.delay(3, rng) for _ in range(2000)]
    assert all(0.0 <= wait <= 16.0 for wait in drawn)
    assert min(drawn) < 1.0 < 15.0 < max(drawn)
    assert 7.5 < sum(drawn) / len(drawn) < 8.5


def test_the_same_seed_draws_the_same_waits() -> None:
    assert waits(Retry(seed=1), 10) == waits(Retry(seed=1), 10) != waits(Retry(seed=2), 10)


def test_the_defaults_are_those_of_the_documentation() -> None:
    assert Retry() == Retry(max_attempts=5, base=0.1, factor=2.0, cap=30.0, jitter=True)
    assert QueueOptions() == QueueOptions(10_000, Overflow.BLOCK, 30.0, Retry(), None, 10_000)


RETRY = [
    *[("max_attempts", value, ValueError) for value in (0, -1)],
    *[("max_attempts", value, TypeError) for value in (1.5, "3", None, True)],
    *[(name, value, ValueError) for name in ("base", "cap") for value in (-0.1, float("nan"), float("inf"), 10**400)],
    *[("factor", value, ValueError) for value in (0.9, 0, -2, float("nan"), float("inf"))],
    *[(name, value, TypeError) for name in ("base", "factor", "cap") for value in ("1", None, True)],
    *[("jitter", value, TypeError) for value in ("no", None, 0.5)],
    *[("seed", value, TypeError) for value in ([], 1.5, "seed")],
]
OPTIONS = [
    *[(name, value, ValueError) for name in ("capacity", "dead_capacity") for value in (0, -1)],
    *[(name, value, TypeError) for name in ("capacity", "dead_capacity") for value in (1.5, "10", True)],
    *[(name, value, ValueError) for name in ("lease", "ttl") for value in (0, -1, float("nan"), float("inf"), 10**400)],
    *[(name, value, TypeError) for name in ("lease", "ttl") for value in ("30", True, [])],
    ("lease", None, TypeError),
    *[("overflow", value, TypeError) for value in ("block", None, 1)],
    *[("retry", value, TypeError) for value in (None, 3, {"max_attempts": 3}, Retry)],
]


def short(value: object) -> str:
    return repr(value)[:12]


@pytest.mark.parametrize(("name", "value", "error"), RETRY, ids=short)
def test_a_retry_that_makes_no_sense_names_the_argument(name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"retry.{name}") as caught:
        Retry(**{name: value})
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(("name", "value", "error"), OPTIONS, ids=short)
def test_an_option_that_makes_no_sense_names_the_argument(name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=name) as caught:
        QueueOptions(**{name: value})
    assert repr(value) in str(caught.value)


def test_options_survive_json() -> None:
    for options in (QueueOptions(), QueueOptions(None, Overflow.DROP_OLDEST, 2.5, Retry(1, seed=7), 1e9, None)):
        assert QueueOptions.from_json(options.to_json()) == options
