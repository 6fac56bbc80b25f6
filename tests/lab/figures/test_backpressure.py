"""The figures of notebook 03: the title holds the numbers of the data, and data at the edge is drawn too."""

from typing import Any

import pytest

from tests.lab.figures.titles import title

BLOCK = {
    "course": [[0.0, 1, 0, 0], [10.0, 20, 0, 3], [20.0, 0, 0, 0]],
    "done": [[0.0, 1.0], [2.0, 18.4]],
    "lost": [],
    "refused": False,
    "planned": [0.0, 2.0],
}
REJECT = {
    "course": [[0.0, 1, 0, 0], [10.0, 0, 0, 0]],
    "done": [[0.0, 1.0]],
    "lost": [2.0],
    "refused": True,
    "planned": [0.0, 2.0],
}


def test_the_unbounded_queue_says_what_it_held_and_when_and_what_the_bounded_one_held_at_most() -> None:
    expected = (
        "Without a bound 2,051 messages and 101 MB wait after 1.9 s; with 100 places it is never more than 5.1 MB"
    )
    runs = {"unbounded": [[0.01, 1, 0.05], [1.93, 2_051, 101.2]], "bounded": [[0.01, 1, 5.12], [1.9, 100, 5.0]]}
    assert title("unbounded", **runs, capacity=100, rate=2_000, bytes=50_000) == expected


def test_an_unbounded_run_of_a_single_sample_is_drawn() -> None:
    data = {"unbounded": [[0.01, 0, 0.0]], "bounded": [[0.01, 0, 0.0]]}
    assert "0 messages and 0 MB" in title("unbounded", **data, capacity=1, rate=1, bytes=8)


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        (
            {"BLOCK": BLOCK, "REJECT": REJECT},
            "BLOCK loses none of 2 messages and takes up to 18.4 ms; REJECT loses 1 and takes up to 1 ms",
        ),
        (
            {"BLOCK": BLOCK, "DEAD_LETTER": BLOCK},
            "BLOCK and DEAD_LETTER lose none of 2 messages and take up to 18.4 ms",
        ),
        ({"REJECT": {**REJECT, "done": [], "lost": [0.0, 2.0]}}, "REJECT loses 2 and takes up to 0 ms"),
    ],
)
def test_the_policies_say_who_loses_and_who_is_late(policies: Any, expected: str) -> None:
    assert title("policies", offered=2, policies=policies) == expected


@pytest.mark.parametrize(
    ("simulated", "measured", "expected"),
    [
        (
            [[1, 1, 0.5, 0.5], [10_000, 10_000, 0.5, 0.0]],
            [[10, 11.2, 0.55]],
            "With 10,000 places instead of 1 a message takes 10 s instead of 1 ms, and as many are lost: 50%",
        ),
        ([[1, 1, 0.5, 0.5], [10, 10, 0.25, 0.5]], [], "takes 10 ms instead of 1 ms, and 25% are lost instead of 50%"),
    ],
)
def test_the_buffer_size_says_what_more_places_bring(simulated: Any, measured: Any, expected: str) -> None:
    assert expected in title("buffer-size", simulated=simulated, measured=measured, limit_ms=100)
