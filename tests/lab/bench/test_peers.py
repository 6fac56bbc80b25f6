"""`bench --peers`: which runs it makes, how it groups them, and the command from end to end."""

from pathlib import Path

import pytest
from rich.console import Console

from lightbroker.lab.bench.main import main
from lightbroker.lab.bench.studies import peers
from lightbroker.lab.bench.systems import available
from lightbroker.lab.measure import machine
from lightbroker.lab.measure.audit import Audit
from lightbroker.lab.measure.results import Bench, Config, Measurement, Run
from lightbroker.lab.peers.base import Promises
from lightbroker.lab.peers.catalogue import NAMES
from tests.lab.peers.available import chosen

CLEAN = Audit(sent=1, received=1, acked=1, lost=0, duplicated=0, unknown=0)


def test_every_peer_that_is_here_is_measured_in_one_group_with_a_twin_of_lightbroker() -> None:
    study = peers.study(quick=False)
    [group] = study.groups
    assert [config.system for config in group if not config.twin] == list(study.kinds)
    assert [config.system for config in group if config.twin] == ["LightBroker"]
    assert set(study.kinds) | set(study.skipped) == set(NAMES)
    assert study.repetitions >= 5
    assert peers.study(quick=True).repetitions < study.repetitions


def test_a_peer_that_is_missing_is_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    kinds, skipped = available(["queue.Queue", "beanstalkd"])
    assert list(kinds) == ["queue.Queue"]
    assert list(skipped) == ["beanstalkd"]
    assert "not" in skipped["beanstalkd"]


def test_a_skipped_peer_is_printed_and_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen("Redis list")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="2"):
        main(["--peers", "--only", "Redis list"])
    assert "--only: Redis list: redis-server is not on the PATH" in capsys.readouterr().err
    bench = Bench("quick", 1, 1, [], {}, {}, [], [], {"Redis list": "redis-server is not on the PATH"})
    peers.show(Console(width=120), bench)
    assert "SKIPPED Redis list: redis-server is not on the PATH" in capsys.readouterr().out


def test_peers_are_grouped_by_what_becomes_of_a_message_and_stand_in_the_order_of_their_cost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    promises = {
        "LightBroker": Promises(ack=True, lease=True),
        "slow": Promises(ack=True, lease=True, note="takes its time"),
        "forgetful": Promises(durable=True),
        "careful": Promises(ack=True),
        "not run": Promises(),
    }
    cost = {"slow": 8.0, "LightBroker": 2.0, "forgetful": 1.0, "careful": 4.0}
    runs = [
        Run(0, Config("process", name, 1, 0), Measurement(value, "", CLEAN), None, {"max_us": 1.0})
        for name, value in cost.items()
    ]
    kept = {name: vars(promise) for name, promise in promises.items()}
    peers.show(Console(width=120), Bench("full", 1, 1, [], {}, kept, runs, []))
    text = capsys.readouterr().out
    order = ["A lease", "LightBroker ", "slow", "An ack, no lease", "careful", "Neither", "forgetful", "durable"]
    places = [text.index(word) for word in order]
    assert places == sorted(places)
    assert "takes its time" in text
    assert "not run" not in text
    [line] = [line for line in text.splitlines() if "slow" in line]
    assert line.split()[1:4] == ["8", "(8-8)", "4"]


def test_the_machine_names_the_libraries_and_servers_of_what_is_measured() -> None:
    kind = chosen("Redis list")
    found = machine.describe([kind])
    assert isinstance(found["libraries"], dict)
    assert isinstance(found["servers"], dict)
    assert found["libraries"]["redis"]
    assert "v=" in found["servers"]["redis-server"]
    assert found["sqlite"]


def test_the_command_measures_peers_and_writes_what_they_promise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["litequeue", "Redis list"]
    for name in names:
        chosen(name)
        monkeypatch.setitem(peers._MESSAGES, name, 500)
    path = tmp_path / "peers.json"
    assert main(["--peers", "--quick", "--repetitions", "1", "--out", str(path), "--only", *names]) == 0
    text = capsys.readouterr().out
    assert "Neither: what a dead consumer took is gone" in text
    bench = Bench.read(path)
    assert {run.config.system for run in bench.runs} == set(names)
    assert bench.promises["litequeue"]["durable"] is True
    assert all(run.sound for run in bench.runs)


def test_a_peer_that_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--peers", "--only", "nobody"])
    assert "--only: 'nobody' is not one of LightBroker" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["--peers", "--storage"])
