"""The figures of messages that fail: the title holds the numbers of the data, and data at the edge is drawn too."""

from typing import Any

import pytest

from tests.lab.figures.titles import title


def run(name: str, arrivals: list[int], answered: int, last: float) -> dict[str, Any]:
    return {"name": name, "phrase": f"retried {name}", "arrivals": arrivals, "answered": answered, "last": last}


STUCK = run("at once", [2000] * 10 + [750] * 590, 250, 1.25)
DONE = run("later", [1000, 0, 40] + [0] * 597, 1000, 4.1)


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([STUCK, DONE], "1 s: retried at once, 250 of 1,000 clients are answered within 60 s; retried later, all are"),
        ([DONE, DONE], "retried later, all are within 4.1 s; retried later, all are within 4.1 s"),
        ([run("none", [0] * 10, 0, 0.0)] * 2, "retried none, 0 of 1,000 clients are answered within 1 s"),
    ],
)
def test_the_storm_says_who_is_answered(runs: Any, expected: str) -> None:
    assert expected in title("retry-storm", runs=runs, bin=0.1, capacity=100, outage=1.0, clients=1000, shown=30)


@pytest.mark.parametrize(
    ("acked", "dead", "worst", "expected"),
    [
        ([80_000, 16_000, 3_968], 32, 3_920, "0.032% end dead if failures are independent, 20% in outages"),
        ([100_000, 0, 0], 0, 20_000, "0% end dead if failures are independent, 100% in outages"),
    ],
)
def test_the_attempts_say_how_many_end_dead(acked: Any, dead: int, worst: int, expected: str) -> None:
    assert expected in title(
        "attempts",
        p=0.2,
        acked=acked,
        dead=dead,
        messages=100_000,
        intervals=[(count / 1e5 * 0.9, count / 1e5 * 1.1) for count in (*acked, dead)],
        cases=[
            {"name": "in no outage", "label": "none", "dead": 0, "messages": 20_000},
            {"name": "in outages", "label": "all", "dead": worst, "messages": 20_000},
        ],
    )


PUSH = [0.0, "NEW", "READY", 0, "push"]
PULL = [1.0, "READY", "LEASED", 1, "pull"]
DEAD = [31.0, "LEASED", "DEAD", 1, "max_attempts"]
DONE_AT_LAST = [
    [40.0, "DEAD", "READY", 1, "redrive"],
    [40.0, "READY", "LEASED", 1, "pull"],
    [41.0, "LEASED", "acked", 1, "ack"],
]


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ([PUSH, PULL, DEAD, *DONE_AT_LAST], "1 worker with it; after 31 s it is a dead letter, and after the fix it"),
        ([PUSH, PULL, DEAD], "takes 1 worker with it; after 31 s it is a dead letter"),
        ([PUSH], "takes 0 workers with it"),
    ],
)
def test_the_poison_says_whom_it_killed(life: Any, expected: str) -> None:
    assert expected in title("poison-life", life=life, lease=30.0, most=3)


FIRST = [3.0, "READY", "LEASED", 1, "pull"]
AGAIN = [[33.0, "LEASED", "READY", 1, "lease expired"], [36.0, "READY", "LEASED", 2, "pull"]]
ACK = [40.0, "LEASED", "acked", 2, "ack"]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([PUSH, FIRST, *AGAIN, ACK], "at 8 s; 28 s later another has the message, and it is acked once"),
        ([PUSH, FIRST, *AGAIN], "28 s later another has the message, and it is acked never"),
        ([PUSH, FIRST], "at 8 s; nobody else has the message yet, and it is acked never"),
    ],
)
def test_the_life_of_a_message_says_how_long_it_waited_for_another_worker(steps: Any, expected: str) -> None:
    assert expected in title("message-life", life=steps, silent=8.0, refused=38.0, lease=30.0)
