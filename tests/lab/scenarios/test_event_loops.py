"""`bench --async`: every system passes every message once in each scenario, and the bars."""

from dataclasses import replace
from pathlib import Path

import pytest

from lightbroker.lab.bench.main import main
from lightbroker.lab.bench.studies import event_loops
from lightbroker.lab.bench.systems import LIGHT
from lightbroker.lab.measure.audit import Audit
from lightbroker.lab.measure.results import Bar, Bench, Config, Measurement, Run
from lightbroker.lab.peers.event_loops import LOOPS
from lightbroker.lab.scenarios import experiment
from tests.lab.peers.available import chosen

CLEAN = Audit(sent=1, received=1, acked=1, lost=0, duplicated=0, unknown=0)


CROSSINGS = ("thread_to_loop", "loop_to_thread")
MEASURED = [
    *(("async_cycle", name) for name in LOOPS),
    *((scenario, name) for name, kind in LOOPS.items() if kind.promises.across_threads for scenario in CROSSINGS),
]


@pytest.mark.parametrize(("scenario", "name"), MEASURED)
def test_every_message_arrives_once(name: str, scenario: str) -> None:
    chosen(name)
    run = experiment.run(0, Config(scenario, name, 500, 50, None if scenario == "async_cycle" else 20))
    assert run.sound, run.error or run.measurement
    assert run.measurement is not None
    assert run.measurement.value
    assert run.measurement.unit == ("µs/message" if scenario == "async_cycle" else "messages/s")
    assert run.measurement.audit.acked == (None if name == "asyncio.Queue" else 500)


def test_what_crosses_threads_is_measured_between_a_thread_and_a_loop_and_has_a_bound() -> None:
    for name in LOOPS:
        chosen(name)
    shapes = {
        (c.scenario, c.system, c.capacity) for group in event_loops.study(False).groups for c in group if not c.twin
    }
    cycles = {("async_cycle", name, None) for name in LOOPS}
    crossings = {(scenario, name, event_loops.BOUND) for scenario in CROSSINGS for name in (LIGHT, "janus", "culsans")}
    assert shapes == cycles | crossings


def judged(scenario: str, peer: str, light: float, other: float) -> Bar:
    runs = [
        Run(block, Config(scenario, name, 1, 0), Measurement(value, "", CLEAN), None, {})
        for name, value in ((LIGHT, light), (peer, other))
        for block in range(3)
    ]
    [only] = [bar for bar in event_loops.judge(runs, 1) if bar.claim == f"{scenario} / {peer}"]
    return only


def test_a_cycle_may_take_three_times_that_of_asyncio_queue() -> None:
    assert judged("async_cycle", "asyncio.Queue", 2.0, 0.7).met is True
    assert judged("async_cycle", "asyncio.Queue", 2.2, 0.7).met is False


@pytest.mark.parametrize("scenario", CROSSINGS)
@pytest.mark.parametrize("peer", ["janus", "culsans"])
def test_between_a_thread_and_a_loop_it_is_at_least_as_fast(scenario: str, peer: str) -> None:
    assert judged(scenario, peer, 300.0, 290.0).met is True
    assert judged(scenario, peer, 280.0, 290.0).met is False


def test_no_runs_no_verdicts() -> None:
    assert {bar.verdict for bar in event_loops.judge([], 1)} == {"not measured"}


def test_the_command_measures_prints_and_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_loops, "_MESSAGES", dict.fromkeys(event_loops._MESSAGES, 800))
    path = tmp_path / "async.json"
    assert main(["--async", "--quick", "--repetitions", "1", "--only", "async_cycle", "--out", str(path)]) == 0
    text = capsys.readouterr().out
    assert "Push, pull and ack" in text
    assert "From a thread" not in text
    assert {run.config.scenario for run in Bench.read(path).runs} == {"async_cycle"}


def test_a_worker_is_told_only_what_is_not_at_its_default() -> None:
    config = Config("cycle", LIGHT, 100, 10, producers=2)
    assert config.given() == {"scenario": "cycle", "system": LIGHT, "messages": 100, "warmup": 10, "producers": 2}
    assert Config(**config.given()) == config  # type: ignore[arg-type]
    assert Config(**replace(config, twin=True).given()).twin  # type: ignore[arg-type]
