"""The figures of the block watcher's page: their titles hold the numbers of the data, and any data can be drawn."""

from typing import Any

import pytest

from tests.lab.figures.titles import title

REORG: dict[str, Any] = {
    "speed": 600.0,
    "capacity": 16,
    "burst": 40,
    "burst_at": 0.1,
    "seconds": 1.5,
    "blocks": [[0.1, "a", "0", False], [0.2, "b", "a", True], [0.3, "c", "a", False], [0.4, "d", "c", False]],
    "depth": [[0.1, 16], [0.3, 2]],
    "in_queue": [[0.15, 80.0], [0.35, 1.0]],
    "since_head": [[0.15, 210.0]],
    "lost": 0,
}
DASHBOARD: dict[str, Any] = {
    "heads": 500,
    "duplicates": 6,
    "filled": 7,
    "reorganisations": 7,
    "added": 501,
    "removed": 15,
    "acked": [[1, 480], [2, 30], [3, 3]],
    "dead": 3,
    "lost": 0,
    "waits": {"in the queue": {"50": 0.2, "75": 1.0, "max": 80.0}, "since the head": {"50": 0.5, "max": 210.0}},
    "speed": 600.0,
    "workers": 4,
    "capacity": 16,
}


def test_a_title_holds_the_numbers_of_its_data() -> None:
    found = title("chain-reorg", **REORG)
    assert "A burst of 40 heads meets a queue of 16: blocks wait up to 210 ms, in the queue up to 80 ms" in found
    assert "1 are abandoned, none lost" in found
    found = title("run-dashboard", **DASHBOARD)
    assert "516 messages: 480 done at the first attempt, 33 after a retry, 3 dead letters, none lost" in found


@pytest.mark.parametrize("lost", [0, 2])
def test_a_run_in_which_nothing_was_seen_is_drawn_too(lost: int) -> None:
    nothing: dict[str, Any] = {name: [] for name in ("blocks", "depth", "in_queue", "since_head")}
    assert f"{lost or 'none'} lost" in title("chain-reorg", **(REORG | nothing | {"lost": lost}))
    zeros: dict[str, Any] = dict.fromkeys(("heads", "duplicates", "filled", "reorganisations", "added", "removed"), 0)
    zeros |= {"acked": [], "dead": 0, "lost": lost, "waits": {"in the queue": {"max": 0.0}}}
    assert f"{lost or 'none'} lost" in title("run-dashboard", **(DASHBOARD | zeros))
