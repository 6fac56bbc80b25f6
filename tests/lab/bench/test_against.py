"""The working copy beside an earlier revision: what is compared, and the command from end to end."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from lightbroker.lab.bench import against
from lightbroker.lab.bench.systems import LIGHT
from lightbroker.lab.measure.audit import Audit
from lightbroker.lab.measure.results import Config, Measurement, Run

CLEAN = Audit(sent=1, received=1, acked=1, lost=0, duplicated=0, unknown=0)


def runs(scenario: str, value: float, twin: bool = False) -> list[Run]:
    config = Config(scenario, LIGHT, 1, 0, twin=twin)
    return [Run(block, config, Measurement(value, "", CLEAN), None, {}) for block in range(3)]


def row(scenario: str, now: float, then: float) -> list[str]:
    return list(against._row(runs(scenario, now) + runs(scenario, now, twin=True), runs(scenario, then), scenario, 1))


@pytest.mark.parametrize(("scenario", "slower", "as_fast"), [("cycle", 2.2, 2.01), ("closed", 1.8, 1.99)])
def test_a_time_counts_as_it_is_and_a_rate_upside_down(scenario: str, slower: float, as_fast: float) -> None:
    assert row(scenario, slower, 2.0)[-1].startswith("missed by")
    assert row(scenario, as_fast, 2.0)[-1] == "met"
    assert row(scenario, as_fast, 2.0)[3] == "1.000 (1.000-1.000)"


@pytest.fixture
def revision() -> str:
    found = subprocess.run(("git", "rev-parse", "HEAD"), cwd=against.ROOT, capture_output=True, text=True)
    if found.returncode:
        pytest.skip("the tests run outside of a git repository")
    return found.stdout.strip()


def test_a_revision_is_measured_by_its_own_code(revision: str, tmp_path: Path) -> None:
    with against.checkout(revision) as folder:
        worker = folder / "lightbroker" / "lab" / "worker.py"  # where version 1.0.0 has it
        worker.parent.mkdir(exist_ok=True)
        worker.write_text("raise SystemExit('the code of the revision')")
        run = against.experiment.run(
            0, replace(against.CONFIGS["cycle"], messages=10, warmup=1), root=folder, worker=against.OLD_WORKER
        )
        assert run.error is not None
        assert "the code of the revision" in run.error
    assert not folder.exists()


def test_the_command_measures_and_prints(
    revision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(against.CONFIGS, "cycle", Config("cycle", LIGHT, 500, 50))
    kept = tmp_path / "against.json"
    assert against.main([revision, "--repetitions", "1", "--only", "cycle", "--out", str(kept)]) == 0
    assert "cycle" in capsys.readouterr().out
    found = json.loads(kept.read_text())
    assert found["revision"] == revision
    assert found["machine"]["cpu"]
    assert len(found["table"]["cycle"]) == len(found["headings"])
    assert {run["config"]["twin"] for run in found["now"]} == {True, False}
    assert len(found["then"]) == 1


def test_an_unknown_revision_is_refused(revision: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        against.main(["no-such-revision"])
    assert "no-such-revision" in capsys.readouterr().err
