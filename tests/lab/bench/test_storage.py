"""`bench --storage`: which runs it makes, its bars, and the command from end to end."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from lightbroker.lab.bench.main import main
from lightbroker.lab.bench.studies import storage
from lightbroker.lab.bench.systems import (
    LIGHT_REDIS,
    LIGHT_SQLITE,
    LIGHT_SQLITE_FULL,
    LITEQUEUE,
    PERSIST_QUEUE,
    REDIS_STREAM,
)
from lightbroker.lab.measure.audit import Audit
from lightbroker.lab.measure.results import Bar, Bench, Config, Measurement, Run
from tests.lab.peers.available import chosen

CLEAN = Audit(sent=1, received=1, acked=1, lost=0, duplicated=0, unknown=0)
ONE = Config("process", LIGHT_SQLITE, 1_000, 100)


def runs(values: dict[str, float], config: Config = ONE) -> list[Run]:
    return [
        Run(block, replace(config, system=name), Measurement(value, "", CLEAN), None, {"max_us": 1.0})
        for name, value in values.items()
        for block in range(3)
    ]


def bar(found: list[Run], claim: str) -> Bar:
    [only] = [each for each in storage.judge(found, 1) if each.claim.startswith(claim)]
    return only


def test_every_store_is_measured_in_one_process_and_what_can_be_shared_in_four() -> None:
    for name in (LIGHT_SQLITE, LIGHT_REDIS, LITEQUEUE, PERSIST_QUEUE):
        chosen(name)
    study = storage.study(quick=False)
    shapes = {(c.scenario, c.system, c.batch, c.producers, c.consumers) for group in study.groups for c in group}
    for name in (LIGHT_SQLITE, LIGHT_SQLITE_FULL, LIGHT_REDIS):
        for batch in (1, 100):
            assert {("process", name, batch, 1, 1), ("processes", name, batch, 2, 2)} <= shapes
    assert {
        ("process", "LightBroker", 100, 1, 1),
        ("process", PERSIST_QUEUE, 1, 1, 1),
        ("processes", LITEQUEUE, 1, 2, 2),
    } <= shapes
    assert ("processes", PERSIST_QUEUE, 1, 2, 2) not in shapes, "it is no queue between processes"
    shared = {shape[1] for shape in shapes if shape[0] == "processes"}
    assert all(study.kinds[name].promises.across_processes for name in shared)
    batched = {shape[1] for shape in shapes if shape[2] > 1}
    assert all(study.kinds[name].promises.batches for name in batched)
    assert [config.system for group in study.groups for config in group if config.twin] == [LIGHT_SQLITE]
    assert {c.messages for group in study.groups for c in group if c.scenario == "depth"} == {1_000_000}


@pytest.mark.parametrize(
    ("claim", "met", "missed", "batch"),
    [
        ("SQLite / litequeue", {LIGHT_SQLITE: 70.0, LITEQUEUE: 80.0}, {LIGHT_SQLITE: 90.0, LITEQUEUE: 80.0}, 1),
        (
            "persist-queue / SQLite",
            {LIGHT_SQLITE: 70.0, PERSIST_QUEUE: 400.0},
            {LIGHT_SQLITE: 100.0, PERSIST_QUEUE: 400.0},
            1,
        ),
        ("Redis / stream", {LIGHT_REDIS: 200.0, REDIS_STREAM: 210.0}, {LIGHT_REDIS: 300.0, REDIS_STREAM: 210.0}, 1),
        ("memory, push", {"LightBroker": 2.0, "queue.Queue": 1.9}, {"LightBroker": 3.0, "queue.Queue": 1.9}, 1),
        ("SQLite, batches of 100", {LIGHT_SQLITE: 10.0}, {LIGHT_SQLITE: 25.0}, 100),
        ("SQLite FULL, batches of 100", {LIGHT_SQLITE_FULL: 17.0}, {LIGHT_SQLITE_FULL: 60.0}, 100),
    ],
)
def test_a_bar_is_met_or_missed(claim: str, met: dict[str, float], missed: dict[str, float], batch: int) -> None:
    assert bar(runs(met, replace(ONE, batch=batch)), claim).met is True
    found = bar(runs(missed, replace(ONE, batch=batch)), claim)
    assert found.met is False
    assert found.verdict.startswith("missed by")


def test_batches_on_redis_are_compared_with_its_own_single_rate() -> None:
    single = runs({LIGHT_REDIS: 300.0})
    found = bar(single + runs({LIGHT_REDIS: 20.0}, replace(ONE, batch=100)), "Redis, batches of 100")
    assert (found.measured, found.met) == (15.0, True)
    assert bar(single + runs({LIGHT_REDIS: 60.0}, replace(ONE, batch=100)), "Redis, batches of 100").met is False


def test_rates_are_cycles_per_second_and_four_processes_do_not_count_for_one() -> None:
    batches = replace(ONE, batch=100)
    found = runs({LIGHT_SQLITE: 10.0}, batches) + runs({LIGHT_SQLITE: 1.0}, replace(batches, scenario="processes"))
    assert bar(found, "SQLite, batches of 100").measured == 100_000


def test_a_pull_is_judged_at_a_million_queued_and_at_no_less() -> None:
    deep = Config("depth", LIGHT_SQLITE, 1_000_000, 0)
    assert bar(runs({LIGHT_SQLITE: 1.2}, deep), "SQLite, a pull").met is True
    assert bar(runs({LIGHT_SQLITE: 1.9}, deep), "SQLite, a pull").met is False
    shallow = bar(runs({"LightBroker": 1.0}, replace(deep, messages=1_000)), "memory, a pull")
    assert (shallow.met, shallow.verdict) == (None, "not measured: only 1,000 queued")


def test_no_runs_no_verdicts() -> None:
    assert {(each.met, each.verdict) for each in storage.judge([], 1)} == {(None, "not measured")}


def test_the_command_measures_prints_and_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_QUEUED", 20_000)
    path = tmp_path / "storage.json"
    assert main(["--storage", "--quick", "--repetitions", "1", "--only", "depth", "--out", str(path)]) == 0
    text = capsys.readouterr().out
    assert "A pull, one at a time" in text
    assert "2,000" in text
    assert "Full cycles" not in text
    assert "not the committed scale" in text
    assert {run.config.scenario for run in Bench.read(path).runs} == {"depth"}


def test_cycles_are_shown_as_rates_beside_a_dash_for_what_was_not_measured(capsys: pytest.CaptureFixture[str]) -> None:
    kept = {LIGHT_SQLITE: {"note": ""}, LITEQUEUE: {"note": ""}}
    storage.show(Console(width=120), Bench("full", 1, 1, [], {}, kept, runs({LIGHT_SQLITE: 100.0}), []))
    text = capsys.readouterr().out.partition("Full cycles")[2]
    [line] = [line for line in text.splitlines() if LIGHT_SQLITE in line]
    assert line.split()[2:] == ["10", "(10-10)", "-", "-", "-"]
    assert LITEQUEUE not in text
