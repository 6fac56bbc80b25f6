"""An outage of Redis loses of what was acknowledged only what its setting allows, and no worker gives up."""

from pathlib import Path
from random import Random

import pytest

from lightbroker import Broker
from tests.adversary.crashes import crash_redis
from tests.redis_server import AOF_ALWAYS, RedisServer

pytestmark = pytest.mark.usefixtures("redis_installed")


def test_what_was_acknowledged_survives_outages() -> None:
    report = crash_redis.run(6)
    assert (report["lost"], report["returned"], report["broken"], report["stalled"]) == (0, 0, 0, 0), report
    assert report["excused"] > 0, "without persistence a kill takes everything"
    assert report["pushed"] > 100
    assert report["acked"] > 100


def test_the_law_outlives_a_push_of_which_half_reached_the_log(tmp_path: Path) -> None:
    with RedisServer(tmp_path, *AOF_ALWAYS) as server:
        with Broker(server.url) as broker:
            broker.queue("q").push_many([bytes(10_000)] * 3)
            log = max(tmp_path.rglob("*.aof"), key=lambda path: path.stat().st_size)
            whole = log.stat().st_size
            broker.queue("q").push_many([bytes(10_000)] * 16)
        server.kill()
        assert log.stat().st_size > whole + 160_000
        log.write_bytes(log.read_bytes()[: whole + 60_000])
        for accepted in (4, 5):
            server.start()
            with Broker(server.url) as broker:
                broker.push("q", b"more")
                broker.check()
                assert broker.queue("q").stats().accepted == accepted
            server.stop()


def test_a_server_that_keeps_less_than_it_says_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(crash_redis.OPTIONS, "always", ())
    report = crash_redis.CrashRun(tmp_path, "always", Random(1)).run(1)
    assert report["lost"] > 0, report
