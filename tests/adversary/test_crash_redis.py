"""Outages of Redis lose nothing that was acknowledged but for what its setting says, and no worker gives up."""

from pathlib import Path
from random import Random

import pytest

from tests.adversary import crash_redis

pytestmark = pytest.mark.usefixtures("redis_installed")


def test_what_was_acknowledged_survives_outages() -> None:
    report = crash_redis.run(6)
    assert (report["lost"], report["returned"], report["broken"], report["stalled"]) == (0, 0, 0, 0), report
    assert report["excused"] > 0, "without persistence a kill takes everything"
    assert report["pushed"] > 100
    assert report["acked"] > 100


def test_a_server_that_keeps_less_than_it_says_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(crash_redis.OPTIONS, "always", ())
    report = crash_redis.Ordeal(tmp_path, "always", Random(1)).run(1)
    assert report["lost"] > 0, report
