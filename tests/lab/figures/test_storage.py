"""The figure of page 08: its title holds the numbers of the file, and a system that was not measured is left out."""

import matplotlib.pyplot as plt
import pytest

from lightbroker.lab.bench.systems import LIGHT_SQLITE, LIGHT_SQLITE_FULL
from lightbroker.lab.figures.storage import DRAWINGS, SURVIVES, durability
from lightbroker.lab.measure.audit import Audit
from lightbroker.lab.measure.machine import describe
from lightbroker.lab.measure.results import Bench, Config, Measurement, Run

CLEAN = Audit(1, 1, 1, 0, 0, 0)


def found(costs: dict[tuple[str, int], float]) -> Bench:
    """Two runs each, of µs a message by system and batch."""
    runs = [
        Run(block, Config("process", name, 1, 0, batch=batch), Measurement(cost, "µs/message", CLEAN), None, {})
        for block in range(2)
        for (name, batch), cost in costs.items()
    ]
    return Bench("full", 1, 2, [], describe(), {name: {} for name, _ in costs}, runs, [])


def test_the_title_holds_the_ratios_and_the_axis_the_systems_that_were_measured() -> None:
    figure = durability(
        found(
            {
                (LIGHT_SQLITE, 1): 100.0,
                (LIGHT_SQLITE, 100): 20.0,
                (LIGHT_SQLITE_FULL, 1): 750.0,
                (LIGHT_SQLITE_FULL, 100): 30.0,
                ("litequeue", 1): 90.0,
            }
        )
    )
    assert "by 7.5 if every step is committed alone, and by 1.5 in batches of 100" in (
        figure.get_suptitle().replace("\n", " ")
    )
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        LIGHT_SQLITE,
        "litequeue",
        LIGHT_SQLITE_FULL,
    ]
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert texts >= {*SURVIVES, "10k", "50k", "1.33k"}
    plt.close(figure)


def test_it_needs_both_settings_of_sqlite() -> None:
    with pytest.raises(ValueError, match="LightBroker SQLite FULL must have been measured"):
        durability(found({(LIGHT_SQLITE, 1): 100.0, (LIGHT_SQLITE, 100): 20.0}))


def test_every_system_stands_in_one_group() -> None:
    names = [name for members in SURVIVES.values() for name in members]
    assert len(names) == len(set(names))
    assert [drawing.name for drawing in DRAWINGS] == ["durability"]
