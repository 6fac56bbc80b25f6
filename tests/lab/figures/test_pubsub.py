"""The figures of notebook 02: the title holds the numbers of the data, and data at the edge is drawn too."""

from typing import Any

import pytest

from lightbroker.lab.figures.pubsub import at_the_end
from tests.lab.figures.titles import title


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        (
            {
                "BLOCK": {"slow": [0.0, 5.0, 9.0], "fast": [0.0, 0.0, 7.0]},
                "REJECT": {"slow": [0.0, None, None], "fast": [0.0, 0.0, 0.0]},
                "DROP_OLDEST": {"slow": [0.0, None, 2.0], "fast": [0.0, 0.0, 0.0]},
            },
            "BLOCK: the slow subscriber gets 3 of 3 heads, and the fast one's are up to 7 s late. "
            "The others: 1–2 of 3, and 0 s",
        ),
        (
            {"BLOCK": {"slow": [None], "fast": [None]}, "REJECT": {"slow": [0.0], "fast": [0.0]}},
            "gets 0 of 1 heads, and the fast one's are up to 0 s late. The others: 1 of 1, and 0 s",
        ),
    ],
)
def test_the_matrix_says_who_got_what_and_how_late(late: Any, expected: str) -> None:
    assert expected in title("delivery-matrix", late=late, blocking="BLOCK")


def run(lag: float, lost: int = 0, expected: float | None = None, points: int = 20) -> dict[str, Any]:
    line = [(at / 10, lag * at / 20) for at in range(points + 1)] if points else []
    return {"slow": line, "fast": line, "published": 100 if points else 0, "lost": lost, "expected": expected}


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        (
            {"callbacks": run(1.5), "BLOCK": run(2.0), "REJECT": run(0.001, 80, 0.5), "DROP_OLDEST": run(0.002, 80)},
            "BLOCK makes the fast subscriber 1.95 s late within 2 s; where the slow one may lose, "
            "the fast one's median lag is at most 1.95 ms",
        ),
        ({"BLOCK": run(0.0), "REJECT": run(0.0, points=0)}, "the fast one's median lag is at most 0 µs"),
    ],
)
def test_the_slow_subscriber_says_what_becomes_of_the_fast_one(runs: Any, expected: str) -> None:
    options: dict[str, Any] = {"seconds": 2.0, "rate": 500, "work": 0.01, "capacity": 50}
    assert expected in title(
        "slow-subscriber", runs=runs, blocking="BLOCK", losing=["REJECT", "DROP_OLDEST"], **options
    )


def test_the_end_is_the_last_tenth_or_else_the_last_point() -> None:
    assert at_the_end([(0.5, 9.0), (1.9, 1.0), (1.95, 3.0)], 2.0) == 2.0
    assert at_the_end([(0.1, 9.0), (0.5, 4.0)], 2.0) == 4.0
    assert at_the_end([], 2.0) == 0.0
