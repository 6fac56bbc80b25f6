"""What is measured of any peer: in one process, in several that share it, and with many messages queued."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from lightbroker.lab.measure.results import Config
from lightbroker.lab.scenarios import experiment, sharing
from lightbroker.lab.scenarios.any_peer import SHALLOW
from lightbroker.lab.scenarios.catalogue import measure
from tests.lab.peers.available import chosen

SHARED = [
    *("LightBroker SQLite", "LightBroker Redis", "litequeue", "huey SQLite"),
    *("huey Redis", "dramatiq Redis", "Redis stream"),
]
FOUR = Config("processes", "litequeue", 300, 80, None, 2, 2)


@pytest.mark.parametrize("batch", [1, 100])
def test_one_process_measures_a_peer_after_its_warm_up_and_audits_both(batch: int) -> None:
    run = experiment.run(0, Config("process", "LightBroker SQLite", 1_000, 150, batch=batch))
    assert run.sound, run.error
    assert run.measurement is not None
    assert (run.measurement.audit.sent, run.measurement.audit.acked) == (1_150, 1_150)
    assert run.measurement.value
    assert run.measurement.unit == "µs/message"


@pytest.mark.parametrize("name", SHARED)
def test_four_processes_share_a_peer_and_none_of_its_messages_is_lost_or_doubled(name: str) -> None:
    kind = chosen(name)
    assert kind.promises.across_processes
    run = experiment.run(0, replace(FOUR, system=name, batch=100 if kind.promises.batches else 1))
    assert run.sound, run.error or run.measurement
    assert run.measurement is not None
    assert run.measurement.audit.sent == 300
    assert run.measurement.unit == "messages/s"


def test_a_process_that_fails_ends_the_others_and_its_error_is_the_one_that_is_raised(tmp_path: Path) -> None:
    chosen("litequeue")
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        sharing.run(FOUR, str(tmp_path / "no folder" / "bench.db"), [b"body"])


def test_what_lives_in_one_process_cannot_be_shared_by_several() -> None:
    with pytest.raises(ValueError, match=r"system .*'queue\.Queue'"):
        measure(replace(FOUR, system="queue.Queue"))


@pytest.mark.parametrize("name", ["LightBroker", "LightBroker SQLite"])
def test_a_pull_from_a_deep_queue_is_compared_with_one_from_a_shallow(name: str) -> None:
    run = experiment.run(0, Config("depth", name, 3 * SHALLOW, 0))
    assert run.sound, run.error
    assert run.measurement is not None
    shallow, deep = run.measurement.details["shallow_us"], run.measurement.details["deep_us"]
    assert shallow
    assert deep
    assert run.measurement.value == pytest.approx(deep / shallow)


def test_only_lightbroker_has_its_deep_queues_measured() -> None:
    with pytest.raises(ValueError, match=r"system .*'queue\.Queue'"):
        measure(Config("depth", "queue.Queue", SHALLOW, 0))
