"""The bench: its plan, its order, its file and its verdicts; nothing here depends on how fast the machine is."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from lightbroker.lab.bench.main import main
from lightbroker.lab.bench.studies import memory_plan as plan
from lightbroker.lab.bench.studies.memory import judge, show
from lightbroker.lab.bench.systems import LIGHT, QUEUE
from lightbroker.lab.measure import machine
from lightbroker.lab.measure.audit import Audit
from lightbroker.lab.measure.results import Bar, Bench, Config, Measurement, Run
from lightbroker.lab.measure.stats import samples_needed
from lightbroker.lab.scenarios import experiment
from lightbroker.lab.scenarios.catalogue import measure

CLEAN = Audit(sent=1, received=1, acked=1, lost=0, duplicated=0, unknown=0)
CYCLE = Config("cycle", LIGHT, 1_000, 100)
TAIL = Config("open", LIGHT, 1_000, 100, None, 1, 100, plan.TAIL_RATE)


def a_run(config: Config, value: float, block: int = 0, audit: Audit = CLEAN, invalid: str | None = None) -> Run:
    return Run(block, config, Measurement(value, "", audit, invalid), None, {"max_us": 1.0})


def bar(bars: list[Bar], claim: str) -> Bar:
    return next(each for each in bars if claim in each.claim)


@pytest.mark.parametrize("scale", [plan.FULL, plan.QUICK])
def test_every_scenario_is_planned_and_p99_has_its_samples(scale: plan.Scale) -> None:
    groups = plan.groups(scale)
    assert tuple(groups) == plan.SCENARIOS
    for group in groups["open"]:
        assert all(config.messages - config.warmup >= samples_needed(99) for config in group)
    assert all(config.messages >= 100_000 for group in groups["closed"] for config in group)
    assert any(config.twin for group in groups["cycle"] for config in group)


def test_the_full_plan_holds_what_was_promised() -> None:
    groups = plan.groups(plan.FULL)
    assert plan.FULL.repetitions >= 5
    shapes = {(c.system, c.producers, c.consumers, c.capacity) for group in groups["closed"] for c in group}
    for shape in ((1, 1), (4, 4), (1, 100), (10, 100)):
        for system in (LIGHT, QUEUE, "asyncio.Queue"):
            assert {(system, *shape, None), (system, *shape, plan.BOUND)} <= shapes
        assert ("queue.SimpleQueue", *shape, None) in shapes
    loads = {(c.rate, c.producers, c.consumers) for group in groups["open"] for c in group}
    assert loads == {(rate, p, 100) for rate in (1_000, 10_000, 50_000, 100_000) for p in (1, 10)}
    tail = [c for group in groups["open"] for c in group if c.rate == plan.TAIL_RATE and c.system == LIGHT]
    assert Counter(c.producers for c in tail if not c.twin) == {1: 2, 10: 2}, "ten runs in five blocks"


def test_the_order_is_seeded_random_and_each_block_is_complete() -> None:
    groups = [group for found in plan.groups(plan.FULL).values() for group in found]
    order = experiment.schedule(groups, 3, seed=4)
    assert order == experiment.schedule(groups, 3, seed=4) != experiment.schedule(groups, 3, seed=5)
    everything = Counter(config for group in groups for config in group)
    blocks = [[config for block, config in order if block == wanted] for wanted in range(3)]
    assert all(Counter(each) == everything for each in blocks)
    assert blocks[0] != blocks[1]
    for each in blocks:
        places = [index for index, config in enumerate(each) if config.scenario == "cycle"]
        assert places == list(range(places[0], places[0] + len(places))), "what is compared runs side by side"


@pytest.mark.parametrize(
    "config",
    [
        CYCLE,
        replace(CYCLE, scenario="batch"),
        Config("closed", "queue.Queue", 2_000, 100, 10, 2, 3),
        Config("closed", "asyncio.Queue", 2_000, 100, None, 2, 3),
        Config("open", LIGHT, 300, 100, None, 2, 3, 2_000),
        Config("memory", LIGHT, 2_000, 100),
        Config("publish", LIGHT, 500, 500),
        Config("publish", "queue.Queue", 500, 500),
    ],
    ids=lambda config: f"{config.scenario}-{config.system}",
)
def test_a_process_measures_what_its_configuration_says(config: Config) -> None:
    run = experiment.run(0, config)
    assert run.error is None
    assert run.measurement is not None
    assert run.sound
    assert run.canary["samples"]
    if config.scenario == "open":
        assert run.measurement.value is None, "200 samples support no p99"
        assert run.measurement.details["samples"] == 200
    else:
        assert run.measurement.value
        assert run.measurement.value > 0


def test_a_process_that_fails_or_hangs_is_an_error_and_no_number() -> None:
    failed = experiment.run(0, replace(CYCLE, system="nobody"))
    assert failed.measurement is None
    assert "KeyError: 'nobody'" in str(failed.error)
    hung = experiment.run(0, replace(CYCLE, messages=50_000_000), timeout=0.5)
    assert hung.measurement is None
    assert "0.5 s" in str(hung.error)
    assert not failed.sound
    assert not hung.sound


def test_an_open_loop_needs_a_rate() -> None:
    with pytest.raises(ValueError, match="rate"):
        measure(replace(TAIL, rate=None))


def test_a_ratio_is_paired_and_its_bar_says_by_how_much_it_was_missed() -> None:
    peer = replace(CYCLE, system=QUEUE)
    runs = [a_run(CYCLE, 1.2 * 2**block, block) for block in range(5)]
    runs += [a_run(peer, 2**block, block) for block in range(5)]
    met = bar(judge(runs, 1), "push + pull + ack")
    assert (met.measured, met.low, met.high) == pytest.approx((1.2, 1.2, 1.2))
    assert (met.met, met.verdict) == (True, "met")
    slower = [a_run(CYCLE, 2.6 * 2**block, block) for block in range(5)] + runs[5:]
    missed = bar(judge(slower, 1), "push + pull + ack")
    assert (missed.met, missed.verdict) == (False, "missed by 100%")


def test_a_bar_says_when_its_interval_does_not_decide() -> None:
    runs = [a_run(replace(CYCLE, scenario="batch"), value, block) for block, value in enumerate((0.5, 0.55, 0.7))]
    found = bar(judge(runs, 1), "batches")
    assert found.met
    assert "interval holds the bar" in found.verdict


def test_twins_and_unsound_runs_do_not_count_as_the_system() -> None:
    lossy = replace(CLEAN, received=0, lost=1)
    batch = replace(CYCLE, scenario="batch")
    runs = [a_run(batch, 0.5), a_run(replace(batch, twin=True), 9.0), a_run(batch, 0.1, audit=lossy)]
    assert bar(judge(runs, 1), "batches").measured == 0.5


def test_an_invalid_run_counts_as_one_that_missed_the_tail() -> None:
    good = [a_run(TAIL, 200.0, block) for block in range(9)]
    assert bar(judge([*good, a_run(TAIL, 1.0, 9, invalid="late")], 1), "1 x 100, in 9 of 10").met is True
    short = [*good[:8], a_run(TAIL, 1.0, 8, invalid="late"), a_run(TAIL, 2_000.0, 9)]
    assert bar(judge(short, 1), "1 x 100, in 9 of 10").verdict == "missed: 8 of 10 runs"
    none = bar(judge([a_run(TAIL, 1.0, 0, invalid="late")], 1), "1 x 100, in 9 of 10")
    assert (none.met, none.measured) == (False, None)


def test_a_million_lost_in_part_is_missed() -> None:
    memory = Config("memory", LIGHT, 1_000_000, 10_000)
    whole = Audit(1_000_000, 1_000_000, 1_000_000, 0, 0, 0)
    assert bar(judge([a_run(memory, 300.0, audit=whole)], 1), "queued and drained").met is True
    torn = replace(whole, received=999_999, lost=1)
    assert bar(judge([a_run(memory, 300.0, audit=torn)], 1), "queued and drained").met is False
    small = bar(judge([a_run(replace(memory, messages=1_000), 300.0)], 1), "queued and drained")
    assert (small.met, small.verdict) == (None, "not measured: only 1,000 queued")


def test_no_runs_no_verdicts() -> None:
    assert {(each.met, each.verdict) for each in judge([], 1)} == {(None, "not measured")}


def test_the_file_gives_back_what_was_written(tmp_path: Path) -> None:
    runs = [a_run(CYCLE, 1.5), Run(1, TAIL, None, "it did not end", {"max_us": None})]
    bench = Bench("full", 1, 5, ["method"], machine.describe(), {}, runs, judge(runs, 1))
    path = tmp_path / "data" / "bench.json"
    bench.write(path)
    assert Bench.read(path) == bench
    assert [each.name for each in path.parent.iterdir()] == ["bench.json"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": "other"}', '{"schema": "lightbroker-bench/1", "runs": [1], "bars": []}']
)
def test_another_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"other\.json is not a file of bench results"):
        Bench.read(path)


def test_the_machine_is_described_without_naming_its_owner() -> None:
    found = machine.describe()
    assert {"cpu", "cores", "kernel", "python", "gil", "switch_interval_s", "libraries", "commit", "date"} <= set(found)
    assert str(Path.home()) not in json.dumps(found)


def test_a_fault_is_printed_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    lossy = a_run(CYCLE, 1.0, audit=replace(CLEAN, received=0, lost=1))
    crashed = Run(0, TAIL, None, "KeyError: nobody", {"max_us": None})
    bench = Bench("quick", 1, 1, [], {}, {LIGHT: {"bounded": True, "note": ""}}, [lossy, crashed], judge([], 1))
    show(Console(width=120), bench)
    text = capsys.readouterr().out
    assert "UNSOUND cycle" in text
    assert "lost=1" in text
    assert "FAILED open 1 x 100 at 10,000/s" in text
    assert "nobody" in text


def test_the_command_measures_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bench.json"
    assert main(["--quick", "--repetitions", "1", "--only", "batch", "--seed", "3", "--out", str(path)]) == 0
    text = capsys.readouterr().out
    assert "batches of 100" in text
    assert "not the committed scale" in text
    assert "lease" in text
    bench = Bench.read(path)
    assert (bench.scale, bench.seed, bench.repetitions) == ("quick", 3, 1)
    assert {run.config.scenario for run in bench.runs} == {"batch"}


@pytest.mark.parametrize("argument", [["--repetitions", "0"], ["--only", "nothing"], ["--seed", "x"], ["--fast"]])
def test_bad_options_are_refused_by_name(argument: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(argument)
    assert argument[0] in capsys.readouterr().err
