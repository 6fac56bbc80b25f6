"""Capturing a node that loses connections, lags and misbehaves, over real WebSockets on this machine."""

from __future__ import annotations

import json
import math
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.watcher.extras import require

require("websockets")

from websockets.sync.server import ServerConnection, serve  # noqa: E402

from lightbroker.watcher import ConnectionLost, NodeError, Recording, capture, rpc  # noqa: E402
from lightbroker.watcher.rpc import Node  # noqa: E402
from tests.watcher.toychain import block, branch  # noqa: E402
from tests.watcher.toyserver import Server  # noqa: E402

CHAIN = branch(None, 12)


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replace the capture's sleeping by a list of what it would have slept."""
    slept: list[float] = []
    for module in (capture, rpc):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=time.monotonic, sleep=slept.append))
    return slept


def silence(socket: ServerConnection) -> None:
    """Read requests and answer none."""
    for _ in socket:
        pass


def run(server: Server, path: Path, heads: int) -> int:
    """Run the command line and return its exit status."""
    with server:
        return capture.main([server.url, str(path), "--heads", str(heads)])


def test_the_blocks_of_a_lost_connection_are_fetched(tmp_path: Path, sleeps: list[float]) -> None:
    path = tmp_path / "heads.jsonl.gz"
    announcements: list[list[Any]] = [[CHAIN[3]], [CHAIN[6], CHAIN[6]], [CHAIN[7], CHAIN[10]]]
    assert run(Server(CHAIN[0], CHAIN, announcements, answers=2), path, 5) == 0
    recording = Recording.load(path)
    heads = [CHAIN[3], CHAIN[6], CHAIN[6], CHAIN[7], CHAIN[10]]
    assert list(recording.replay(speed=math.inf)) == heads
    assert [recording.block(head["hash"]) for head in CHAIN[:11]] == CHAIN[:11]
    assert (recording.info["chain_id"], recording.info["node"]) == (31337, "toy/1")
    assert "secret" not in json.dumps(dict(recording.info))
    assert sleeps == []


def test_a_branch_that_nobody_announced_is_fetched_back_to_its_fork(tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl.gz"
    other = branch(CHAIN[2], 3, "b")
    assert run(Server(CHAIN[0], [*CHAIN, *other], [[*CHAIN[1:6], other[-1]]]), path, 6) == 0
    recording = Recording.load(path)
    assert [recording.block(head["hash"]) for head in other] == other


def test_heads_without_transactions_are_completed(tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl.gz"
    bare = {name: value for name, value in CHAIN[1].items() if name != "transactions"}
    assert run(Server(CHAIN[0], CHAIN, [[bare]]), path, 1) == 0
    assert next(iter(Recording.load(path))).head == CHAIN[1]


def test_a_node_that_lags_behind_its_announcement_is_asked_again(tmp_path: Path, sleeps: list[float]) -> None:
    server = Server(CHAIN[0], CHAIN, [[CHAIN[3]]])
    server.lag = 3
    assert run(server, tmp_path / "heads.jsonl.gz", 1) == 0
    assert sleeps == [1.0, 1.0, 1.0]


def test_a_block_that_never_comes_ends_the_capture(
    tmp_path: Path, sleeps: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(Server(CHAIN[0], [], [[CHAIN[3]]]), tmp_path / "heads.jsonl.gz", 1) == 1
    assert f"{CHAIN[2]['hash']} or a child of it, but does not have it" in capsys.readouterr().err
    assert len(sleeps) == rpc.LAG_RETRIES


def test_a_branch_below_the_first_block_ends_the_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deep = branch(CHAIN[1], 4, "b")
    path = tmp_path / "heads.jsonl.gz"
    assert run(Server(CHAIN[3], [*CHAIN, *deep], [[CHAIN[4], deep[-1]]]), path, 5) == 1
    assert "below block 103, the first one; start again" in capsys.readouterr().err
    assert len(Recording.load(path)) == 1


def test_a_node_that_only_closes_is_tried_again_with_backoff(tmp_path: Path, sleeps: list[float]) -> None:
    assert run(Server(CHAIN[0], CHAIN, [[], [], [], [CHAIN[1]], []]), tmp_path / "heads.jsonl.gz", 1) == 0
    assert sleeps == [1.0, 3.0, 7.0]


def test_a_node_that_is_not_there_is_named_without_its_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = Server(CHAIN[0], [], [])
    with server:
        pass
    assert capture.main([server.url, str(tmp_path / "heads.jsonl.gz")]) == 1
    error = capsys.readouterr().err
    assert "cannot connect to '127.0.0.1'" in error
    assert "secret" not in error


def test_the_number_of_heads_must_be_positive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        capture.main(["ws://127.0.0.1:1", str(tmp_path / "heads.jsonl.gz"), "--heads", "0"])
    assert "--heads must be at least 1, got 0" in capsys.readouterr().err


def test_a_refused_request_names_its_method() -> None:
    with (
        Server(block(None), [], []) as server,
        Node(server.url) as node,
        pytest.raises(NodeError, match=r"^eth_nothing: the node refused: .*no such method"),
    ):
        node.call("eth_nothing")


@pytest.mark.parametrize("text", ["not json", "[]", '{"method": "eth_subscription"}', '"x"'])
def test_a_node_that_does_not_speak_json_rpc_is_an_error(text: str) -> None:
    with Server(block(None), [], [[text]]) as server, Node(server.url) as node:
        node.subscribe()
        with pytest.raises(NodeError, match="the node sent what is not JSON-RPC"):
            next(node.heads())


def test_a_closed_connection_refuses_requests() -> None:
    with Server(block(None), [], []) as server:
        node = Node(server.url)
        node.close()
        with pytest.raises(ConnectionLost, match="eth_chainId: the connection was closed"):
            node.call("eth_chainId")
        assert list(node.heads()) == []


def test_a_silent_node_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightbroker.watcher.rpc.ANSWER_TIMEOUT", 0.01)
    silent = serve(silence, "127.0.0.1", 0)
    thread = threading.Thread(target=silent.serve_forever)
    thread.start()
    with (
        Node(f"ws://127.0.0.1:{silent.socket.getsockname()[1]}") as node,
        pytest.raises(ConnectionLost, match=r"eth_chainId: no answer within 0.01 s"),
    ):
        node.call("eth_chainId")
    silent.shutdown()
    thread.join()
