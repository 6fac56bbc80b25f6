"""The experiments: what they plan, that an interruption costs nothing, and that the quick scale leaves no file."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lightbroker.lab.bench import campaign
from lightbroker.lab.bench.experiments import CONSUMERS, RATES, Experiment, experiments
from lightbroker.lab.bench.systems import LIGHT, QUEUE
from lightbroker.lab.measure.audit import Audit
from lightbroker.lab.measure.curves import heat, ladder
from lightbroker.lab.measure.results import Config, Measurement, Results, Run
from lightbroker.lab.measure.stats import samples_needed
from lightbroker.lab.scenarios import experiment
from lightbroker.lab.scenarios.catalogue import measure

A, B = Config("cycle", LIGHT, 100, 10), Config("cycle", QUEUE, 100, 10)
PLAN = Experiment("test", "Does it resume?", 3, (A, B))


def faked(block: int, config: Config) -> Run:
    value = 1.0 + block / 10
    return Run(block, config, Measurement(value, "µs", Audit(1, 1, 1, 0, 0, 0)), None, {"max_us": 1.0})


def test_the_full_plan_stays_under_45_minutes_and_answers_every_question() -> None:
    full = {each.name: each for each in experiments()}
    assert sum(each.seconds for each in full.values()) < 45 * 60
    assert all(each.repetitions >= 5 for each in full.values())
    assert {(c.system, c.consumers) for c in full["consumers"].configs} == {
        (s, n) for s in (LIGHT, QUEUE) for n in CONSUMERS
    }
    assert CONSUMERS[-1] == 100
    assert {c.rate for c in full["hockey-stick"].configs if c.scenario == "open"} == set(RATES)
    for each in full.values():
        for config in each.configs:
            if config.rate is not None:
                assert config.messages - config.warmup >= samples_needed(99), "p99 has its samples"


def test_the_quick_plan_asks_the_same_questions_in_a_few_minutes() -> None:
    quick = experiments(quick=True)
    assert [each.name for each in quick] == [each.name for each in experiments()]
    assert sum(each.seconds for each in quick) < 240


def test_an_interrupted_campaign_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[int, Config]] = []

    def run(block: int, config: Config) -> Run:
        if len(made) == 4:
            raise KeyboardInterrupt
        made.append((block, config))
        return faked(block, config)

    monkeypatch.setattr(experiment, "run", run)
    with pytest.raises(KeyboardInterrupt):
        campaign.measure(PLAN, seed=1, folder=tmp_path)
    done = list(made)
    made[:] = []
    found = campaign.measure(PLAN, seed=1, folder=tmp_path)
    assert done + made == experiment.schedule([PLAN.configs], 3, 1)
    assert [(each.block, each.config) for each in found.runs] == done + made
    assert found == replace(campaign.measure(PLAN, seed=1, folder=tmp_path), machine=found.machine)


@pytest.mark.parametrize("spoil", ["", "{}\n", '{"cpu": "another"}\n', "torn"])
def test_parts_of_another_plan_machine_or_code_are_not_mixed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: str
) -> None:
    monkeypatch.setattr(experiment, "run", faked)
    parts = tmp_path / "test.parts.jsonl"
    campaign.measure(PLAN, seed=1, folder=tmp_path)
    lines = parts.read_text().splitlines()
    assert len(lines) == 7
    parts.write_text(parts.read_text()[:-20] if spoil == "torn" else spoil + "\n".join(lines[1:]))
    seen: list[Config] = []
    campaign.measure(PLAN, seed=1, folder=tmp_path, progress=lambda config, _: seen.append(config))
    assert parts.read_text().splitlines() == lines
    campaign.measure(PLAN, seed=2, folder=tmp_path)
    assert len(parts.read_text().splitlines()) == 7
    assert "cpu" in json.loads(parts.read_text().splitlines()[0])


def test_results_give_back_what_was_written_and_refuse_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiment, "run", faked)
    found = campaign.measure(PLAN, seed=1)
    path = tmp_path / "data" / "test.json"
    found.write(path)
    assert Results.read(path) == found
    path.write_text('{"schema": "lightbroker-bench/1", "runs": []}')
    with pytest.raises(ValueError, match=r"test\.json is not a file of experiment results"):
        Results.read(path)


def test_two_results_agree_within_the_intervals_that_they_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiment, "run", faked)
    one = campaign.measure(PLAN, seed=1)
    assert campaign.agreement(one, one) == (2, 2)
    moved = [
        replace(run, measurement=replace(run.measurement, value=9.0)) if run.config == A and run.measurement else run
        for run in one.runs
    ]
    assert campaign.agreement(one, replace(one, runs=moved)) == (1, 2)


def test_the_quick_scale_prints_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(experiment, "run", faked)
    monkeypatch.setenv("LIGHTBROKER_SCALE", "quick")
    assert campaign.main(["--only", "consumers", "neighbour"]) == 0
    text = capsys.readouterr().out
    assert "What does a neighbour" in text
    assert "noise floor (A/A over 1 blocks): a factor of 1.00 is noise" in text
    assert list(tmp_path.iterdir()) == []


def test_the_full_scale_writes_the_results_and_removes_the_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(experiment, "run", faked)
    monkeypatch.delenv("LIGHTBROKER_SCALE", raising=False)
    for _ in range(2):
        assert campaign.main(["--only", "recorder"]) == 0
    assert "1 of 1 agree" in capsys.readouterr().out
    assert [each.name for each in (tmp_path / "figures" / "data").iterdir()] == ["recorder.json"]


def test_a_lost_message_is_told_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lossy(block: int, config: Config) -> Run:
        return Run(block, config, Measurement(1.0, "µs", Audit(1, 0, 0, 1, 0, 0)), None, {})

    monkeypatch.setattr(experiment, "run", lossy)
    assert campaign.main(["--quick", "--only", "recorder"]) == 1
    assert "UNSOUND" in capsys.readouterr().out


@pytest.mark.parametrize(
    "config",
    [
        Config("open", LIGHT, 400, 100, None, 1, 2, 2_000, arrivals="burst", curves=True, switch_interval_s=0.001),
        Config("open", LIGHT, 300, 100, None, 1, 2, 2_000, handler="failing", neighbour="yielding", pacer=True),
        Config("requests", LIGHT, 300, 100, None, 3, 2, 2_000, handler="pausing", handler_s=0.02, curves=True),
        Config("service", QUEUE, 300, 0, None, 2, 4, handler="computing", handler_s=0.0001),
        Config("recorder", LIGHT, 100, 0),
    ],
    ids=lambda config: config.scenario,
)
def test_a_configuration_is_measured_as_it_says(config: Config) -> None:
    run = experiment.run(0, config)
    assert run.sound, run.error or run.measurement
    assert run.measurement is not None
    assert bool(run.measurement.curves) == config.curves
    if config.pacer:
        assert {"timer_p50_us", "send_lag_p50_us"} <= set(run.measurement.details)


def test_clients_that_think_need_a_rate() -> None:
    with pytest.raises(ValueError, match="rate"):
        measure(Config("requests", LIGHT, 10, 0))


def test_the_ladder_ends_where_the_sample_does() -> None:
    found = ladder(np.arange(1, 10_001, dtype=float))
    assert found["percent"][-2] == pytest.approx(99)
    assert found["latency_us"][-2] == pytest.approx(9_900)
    assert (found["percent"][-1], found["latency_us"][-1]) == (100, 10_000)
    assert ladder(np.array([])) == {"percent": [], "latency_us": []}


def test_the_heat_map_counts_every_message_once() -> None:
    found = heat(np.linspace(0, 5, 1_000), np.geomspace(0.01, 1e9, 1_000))
    assert sum(found["heat"]) == 1_000
    assert len(found["heat"]) == (len(found["heat_us"]) - 1) * (len(found["heat_s"]) - 1)
    assert found["heat"][0] > 0
