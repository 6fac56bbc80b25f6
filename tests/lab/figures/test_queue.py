"""The figures of notebook 01: the title holds the number of the data, and data at the edge is drawn too."""

from typing import Any

import pytest

from tests.lab.figures.titles import title

PUSH = [0.0, "NEW", "READY", 0, "push"]
PULL = [3.0, "READY", "LEASED", 1, "pull"]
AGAIN = [[33.0, "LEASED", "READY", 1, "lease expired"], [36.0, "READY", "LEASED", 2, "pull"]]
ACK = [40.0, "LEASED", "acked", 2, "ack"]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([PUSH, PULL, *AGAIN, ACK], "at 8 s; 28 s later another has the message, and it is acked once"),
        ([PUSH, PULL, *AGAIN], "28 s later another has the message, and it is acked never"),
        ([PUSH, PULL], "at 8 s; nobody else has the message yet, and it is acked never"),
    ],
)
def test_the_life_of_a_message_says_how_long_it_waited_for_another_worker(steps: Any, expected: str) -> None:
    assert expected in title("message-life", life=steps, silent=8.0, refused=38.0, lease=30.0)


MUTEX = {"1": [400_000.0, 420_000.0], "100": [21_000.0, 20_000.0]}
LIGHT = {"1": [300_000.0], "100": [270_000.0]}


@pytest.mark.parametrize(
    ("mutex", "light", "waits", "expected"),
    [
        (MUTEX, LIGHT, (4.56, 0.012), "100 consumers one mutex passes 20.5k messages/s, LightBroker 270k: 4.6 waits"),
        (MUTEX, LIGHT, (4.56, 0.012), "4.6 waits a message against 0.012"),
        (MUTEX, LIGHT, (None, None), "20.5k messages/s, LightBroker 270k"),
        ({"1": [10.0]}, {"1": [5.0]}, (0.0, 0.0), "With 1 consumers one mutex passes 10 messages/s, LightBroker 5"),
    ],
)
def test_the_convoy_says_what_both_pass(mutex: Any, light: Any, waits: Any, expected: str) -> None:
    names = ("one mutex", "LightBroker")
    assert expected in title(
        "convoy",
        throughput=dict(zip(names, (mutex, light), strict=True)),
        waits={name: [each] for name, each in zip(names, waits, strict=True)},
        mutex=names[0],
        light=names[1],
        producers=10,
    )
