"""Every peer passes the same messages through, and keeps its promises about acknowledgements and durability."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightbroker.lab.measure.audit import audit, make_bodies
from lightbroker.lab.peers import catalogue
from lightbroker.lab.peers.base import Stored
from tests.lab.peers.available import chosen

DURABLE = ["LightBroker SQLite", "LightBroker SQLite FULL", "huey SQLite", "litequeue", "persist-queue"]
TAKE: dict[str, Callable[[Any], object]] = {
    "LightBroker SQLite": lambda peer: peer.queue.pull(),
    "LightBroker Redis": lambda peer: peer.queue.pull(),
    "litequeue": lambda peer: peer.queue.pop(),
    "persist-queue": lambda peer: peer.queue.get(),
    "Redis stream": lambda peer: peer.client.xreadgroup("workers", "a dead one", {"bench": ">"}),
    "dramatiq Redis": lambda peer: next(peer.consumer),
}


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_a_peer_passes_each_message_once_and_acks_it_where_it_promises_to(name: str) -> None:
    kind = chosen(name)
    assert (kind.name, kind.promises.durable) == (name, name in DURABLE)
    bodies = make_bodies(250)
    seen: list[bytes] = []
    with kind.open() as peer:
        peer.cycle(bodies[:50], seen.append)
        peer.batch([bodies[50:150], bodies[150:]], seen.append)
        peer.check()
        acked = peer.acked(250)
    assert audit(250, seen, acked).clean
    assert acked == 250 or not kind.promises.ack
    assert seen == bodies, "nothing overtakes"


@pytest.mark.parametrize("name", TAKE)
def test_a_message_that_was_taken_and_not_settled_is_not_counted_as_acked(name: str) -> None:
    kind = chosen(name)
    assert kind.promises.ack
    with kind.open() as peer:
        assert isinstance(peer, Stored)
        peer.cycle(make_bodies(3), bytes)
        peer.send([b"left lying"])
        assert TAKE[name](peer) is not None
        assert peer.acked(4) != 4


def test_kombu_counts_what_it_holds_unacked() -> None:
    with chosen("kombu memory").open() as peer:
        queue: Any = peer.queue  # type: ignore[attr-defined]
        queue.put(b"left lying")
        queue.get()
        assert peer.acked(1) == 0


@pytest.mark.parametrize("name", DURABLE)
def test_what_a_durable_peer_holds_is_there_when_it_is_opened_again(name: str) -> None:
    kind = chosen(name)
    assert kind.promises.durable
    assert issubclass(kind, Stored)
    seen: list[bytes] = []
    with kind.home() as address:
        for step in (lambda peer: peer.send(make_bodies(2)), lambda peer: peer.work(2, seen.append)):
            peer = kind(address)
            step(peer)
            peer.close()
    assert seen == make_bodies(2)


def test_no_peer_is_loaded_before_it_is_chosen() -> None:
    command = "import sys, lightbroker.lab.bench.main; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, timeout=60, check=True)
    peers = {"culsans", "dramatiq", "greenstalk", "huey", "janus", "kombu", "litequeue", "nats", "persistqueue", "pika"}
    assert not (peers | {"redis"}) & set(run.stdout.split())


def test_a_missing_library_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "lightbroker.lab.peers.libraries.bridges", raising=False)
    monkeypatch.setitem(sys.modules, "janus", None)
    with pytest.raises(catalogue.Unavailable, match=r"janus is not installed: pip install 'lightbroker\[peers\]'"):
        catalogue.load("janus")


def test_a_missing_server_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(catalogue.Unavailable, match="redis-server is not on the PATH"):
        catalogue.load("Redis list")


def test_another_name_is_no_peer() -> None:
    with pytest.raises(KeyError, match="nobody"):
        catalogue.load("nobody")
