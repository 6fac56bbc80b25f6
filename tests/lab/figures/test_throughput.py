"""The figure of one mutex: the title holds the number of the data, and data at the edge is drawn too."""

from typing import Any

import pytest

from tests.lab.figures.titles import title

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
