"""The figure of page 09: its title tells what the fastest promises, and every peer that was measured has a row."""

from dataclasses import asdict

import matplotlib.pyplot as plt
import pytest

from lightbroker.lab.figures.peers import COLUMNS, GROUPS, peers
from lightbroker.lab.measure.audit import Audit
from lightbroker.lab.measure.machine import describe
from lightbroker.lab.measure.results import Bench, Config, Measurement, Run
from lightbroker.lab.peers.base import Promises

CLEAN = Audit(1, 1, 1, 0, 0, 0)
PROMISES = {
    "LightBroker": Promises(ack=True, lease=True, bounded=True),
    "kept": Promises(ack=True, durable=True),
    "bare": Promises(),
}


def found(costs: dict[str, float]) -> Bench:
    runs = [
        Run(block, Config("process", name, 1, 0), Measurement(cost, "µs/message", CLEAN), None, {})
        for block in range(2)
        for name, cost in costs.items()
    ]
    return Bench("full", 1, 2, [], describe(), {name: asdict(each) for name, each in PROMISES.items()}, runs, [])


@pytest.mark.parametrize(
    ("costs", "title"),
    [
        (
            {"LightBroker": 2.0, "kept": 110.0, "bare": 0.08},
            "bare passes a message in 0.08 µs and promises nothing; with a lease the fastest is LightBroker, 2 µs",
        ),
        ({"LightBroker": 2.0, "kept": 0.5}, "kept passes a message in 0.5 µs and promises ack, durable; with"),
        ({"LightBroker": 2.0, "bare": 9.0}, "LightBroker passes a message in 2 µs and promises bounded, ack, lease"),
        ({"bare": 1234.0}, "bare passes a message in 1,234 µs and promises nothing"),
    ],
)
def test_the_title_tells_what_was_measured(costs: dict[str, float], title: str) -> None:
    figure = peers(found(costs))
    assert figure.get_suptitle().replace("\n", " ").startswith(title)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert sorted(names) == sorted(costs)
    plt.close(figure)


def test_a_promise_that_is_kept_has_a_mark_in_its_column() -> None:
    figure = peers(found({"LightBroker": 2.0, "kept": 110.0, "bare": 0.08}))
    marks = figure.axes[1]
    assert [label.get_text() for label in marks.get_xticklabels()] == list(COLUMNS.values())
    columns = sorted(int(line.get_xdata()[0]) for line in marks.lines)  # type: ignore[index, arg-type]
    assert columns == [list(COLUMNS).index("bounded"), list(COLUMNS).index("durable")]
    headings = {text.get_text() for text in figure.axes[0].texts}
    assert headings >= set(GROUPS.values())
    plt.close(figure)
