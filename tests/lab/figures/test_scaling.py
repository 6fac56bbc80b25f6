"""The figures of notebook 10: the title holds the number of the data, and data at the edge is drawn too."""

from typing import Any

import pytest

from tests.lab.figures.titles import title

ONE, EACH = "from one queue", "with a partition each"
PREDICTED = {ONE: {"1": 400.0, "4": 1_600.0}, EACH: {"1": 400.0, "4": 1_000.0}}


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (
            {ONE: {"1": [400.0, 410.0, 390.0], "4": [1_560.0]}, EACH: {"1": [400.0], "4": [960.0]}},
            "4 workers do the work of one 3.9 times from one queue (predicted 4), and 2.4 times with a partition each "
            "(predicted 2.5)",
        ),
        ({ONE: {"1": [400.0]}}, "1 workers do the work of one 1 times from one queue (predicted 1)"),
    ],
)
def test_the_processes_are_compared_with_one_and_with_the_prediction(measured: Any, expected: str) -> None:
    assert title("redis-processes", note="a note", measured=measured, predicted=PREDICTED) == expected


STEADY = {"1": {"load": 0.4, "p95_ms": 4.0}, "8": {"load": 0.8, "p95_ms": 20.0}}
OVER = {"16": {"load": 1.5, "p95_ms": None}}
POINTS = {"1": {"p95_ms": 5.0, "low_ms": 3.0, "high_ms": 6.0, "plan_ms": 4.0}}


@pytest.mark.parametrize(
    ("line", "measured", "expected"),
    [
        ({**STEADY, **OVER}, POINTS, "the p95 wait in the hottest of 8 partitions is 20 ms; of 16, its load is 150%"),
        (STEADY, {}, "At a mean load of 40%, the p95 wait in the hottest of 8 partitions is 20 ms (simulated, Zipf)"),
        ({**OVER, "32": OVER["16"]}, POINTS, "40%, the hottest of 16 partitions has a load of 150% (simulated, Zipf)"),
    ],
)
def test_the_hot_partition_says_how_long_it_waits_and_when_it_is_lost(line: Any, measured: Any, expected: str) -> None:
    assert expected in title(
        "hot-partition", note="a note", lines={"alike": STEADY, "Zipf": line}, measured=measured, load=0.4
    )


def test_a_quorum_says_what_each_choice_costs() -> None:
    def rungs(*latencies: float) -> dict[str, list[float]]:
        return {"percent": [50.0, 99.0, 100.0], "latency_us": list(latencies)}

    ladders = {"1 of 1": rungs(900, 2_800, 90_000), "2 of 3": rungs(900, 1_600, 6_000)}
    found = title("quorum", note="a note", ladders=ladders, writes=10_000)
    assert found.endswith("the p99 of a write that waits for its replicas is 2.8 ms for 1 of 1, 1.6 ms for 2 of 3")
    short = {"1 of 1": {"percent": [50.0, 100.0], "latency_us": [1.0, 3.0]}}
    assert "the maximum of a write that waits for its replicas is 3 µs" in title(
        "quorum", note="a note", ladders=short, writes=1_000
    )
