"""`lightbroker watch` as a service: killed, stopped under load and started again, over a real node."""

import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.watcher.extras import require

require("websockets")
require("Crypto")

from lightbroker import Broker, ManualClock, Message  # noqa: E402
from lightbroker.cli.main import main  # noqa: E402
from lightbroker.cli.watch import check_block  # noqa: E402
from lightbroker.watcher import BlockMessage, InvalidBlock, Recording  # noqa: E402
from lightbroker.watcher.rpc import Node  # noqa: E402
from tests.contract.stores import STORES, fresh_url  # noqa: E402
from tests.watcher.toychain import Ledger, branch, drain  # noqa: E402
from tests.watcher.toyserver import Server  # noqa: E402

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0  # seconds, for a process on a machine that has others to run
unix = pytest.mark.skipif(sys.platform == "win32", reason="a signal cannot be sent to one process there")
times = count(1_750_001_000, 1000)


class Service:
    """A `lightbroker watch` in a process of its own, with what it printed."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._log = folder / f"{time.monotonic_ns()}.log"
        self._out = self._log.open("w")
        command = (sys.executable, "-m", "lightbroker", "watch", *words)
        environment = {**os.environ, "DIARY": str(folder / "diary")}
        self.process = subprocess.Popen(
            command, stdout=self._out, stderr=subprocess.STDOUT, cwd=ROOT, env=environment, text=True
        )

    def printed(self) -> str:
        return self._log.read_text()

    def wait_for(self, condition: Callable[[], Any]) -> None:
        until = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, self.printed()
            assert time.monotonic() < until, self.printed()
            time.sleep(0.005)

    def follows(self) -> None:
        """Wait until it has caught up with the node."""
        self.wait_for(lambda: "following the chain" in self.printed())

    def end(self, number: int) -> int:
        """Send a signal, and wait for the end; returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._out.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    with ExitStack() as stack:

        def start(*words: str) -> Service:
            service = Service(tmp_path, *words)
            stack.callback(service.close)
            return service

        yield start


@pytest.fixture
def node(anvil: str) -> Iterator[Node]:
    with Node(anvil) as node:
        yield node


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


def mine(node: Node, blocks: int) -> None:
    for _ in range(blocks):
        node.call("evm_mine", hex(next(times)))


def canonical(node: Node) -> list[str]:
    top = int(node.call("eth_blockNumber"), 16)
    return [node.block_at(number)["hash"] for number in range(top + 1)]


def newest(path: Path) -> str | None:
    """The block that the journal names last."""
    try:
        block = json.loads(path.read_bytes().splitlines()[-1])["block"]
    except (OSError, ValueError, KeyError):
        return None
    return str(block["hash"]) if block["kind"] == "added" else None


def disturb(node: Node, rng: random.Random) -> None:
    """Some blocks, a reorganisation or a rollback, some more blocks."""
    mine(node, rng.randint(1, 10))
    if rng.random() < 0.5:
        node.call("anvil_reorg", rng.randint(1, 5), [])
    else:
        node.call("anvil_rollback", rng.randint(1, 5))
    mine(node, rng.randint(1, 10))


@unix
@pytest.mark.parametrize("store", [name for name, store in STORES.items() if store.durable])
def test_kills_and_restarts_leave_no_block_out_and_queue_none_twice(
    tmp_path: Path, start: Callable[..., Service], node: Node, anvil: str, store: str
) -> None:
    journal = tmp_path / "a.journal"
    with fresh_url(STORES[store], tmp_path) as url:
        words = (anvil, "--store", url, "--journal", str(journal), "--workers", "0", "--from", "0")
        kill_and_restart(lambda: start(*words), node, journal)
        ledger = Ledger()
        with Broker(url) as broker:
            for body in drain(broker):
                ledger.apply(body)  # each must fit on the one before
    assert ledger.chain == canonical(node)


def kill_and_restart(start: Callable[[], Service], node: Node, journal: Path) -> None:
    rng = random.Random(1)
    mine(node, 10)
    for _ in range(5):
        service = start()
        service.follows()
        for _ in range(rng.randint(1, 3)):
            disturb(node, rng)
            time.sleep(rng.uniform(0.0, 0.03))
        assert service.end(signal.SIGKILL) == -signal.SIGKILL
        disturb(node, rng)
    service = start()
    service.follows()
    service.wait_for(lambda: newest(journal) == node.block_at("latest")["hash"])
    assert service.end(signal.SIGTERM) == 0


@unix
def test_what_killed_workers_had_begun_is_done_again_and_nothing_is_acked_twice(
    tmp_path: Path, start: Callable[..., Service], node: Node, anvil: str, url: str
) -> None:
    rng = random.Random(2)
    mine(node, 30)
    for _ in range(3):
        service = start(anvil, "--store", url, "--from", "0", "--handler", "tests.cli.handlers:slowly")
        service.follows()
        disturb(node, rng)
        time.sleep(rng.uniform(0.0, 0.1))
        assert service.end(signal.SIGKILL) == -signal.SIGKILL
    service = start(anvil, "--store", url, "--handler", "tests.cli.handlers:note")
    service.follows()
    service.wait_for(lambda: newest(tmp_path / "store.db.blocks.journal") == node.block_at("latest")["hash"])
    assert service.end(signal.SIGTERM) == 0
    steps = dict(line.split(" ", 1) for line in (tmp_path / "diary").read_text().splitlines())
    clock = ManualClock(time.time())
    with Broker(url, clock=clock) as broker:
        queue = broker.queue("blocks")
        clock.advance(60.0)  # the leases of the killed end
        clock.advance(60.0)  # and the backoff behind them
        while queue.stats().held:
            with queue.pull(timeout=0) as message:
                steps[message.id] = f"{message.json()['kind']} {message.json()['hash']}"
        broker.check()
        stats = queue.stats()
    assert len(steps) == stats.acked == stats.accepted
    sums = Counter(steps.values())
    chain = canonical(node)
    for block in {step.split()[1] for step in steps.values()}:
        assert sums[f"added {block}"] - sums[f"removed {block}"] == chain.count(block)
    assert {f"added {block}" for block in chain} <= sums.keys()


@unix
def test_sigterm_under_load_loses_nothing(
    tmp_path: Path, start: Callable[..., Service], node: Node, anvil: str, url: str
) -> None:
    mine(node, 10)
    words = (anvil, "--store", url, "--from", "0", "--handler", "tests.cli.handlers:slowly", "--capacity", "50")
    service = start(*words, "--metrics", "127.0.0.1:0")
    service.follows()
    page = next(line.split()[-1] for line in service.printed().splitlines() if "serving http" in line)
    with urllib.request.urlopen(f"{page}/health", timeout=PATIENCE) as answer:
        assert json.load(answer)["status"] == "ok"
    node.call("anvil_mine", hex(300))  # 50 at most are in the queue, the others wait in the node's socket
    diary = tmp_path / "diary"
    service.wait_for(lambda: diary.exists() and len(diary.read_bytes().splitlines()) > 20)
    assert service.end(signal.SIGTERM) == 0, service.printed()
    assert "the conservation law holds" in service.printed()
    assert "Traceback" not in service.printed()
    done = diary.read_text().splitlines()
    with Broker(url) as broker:
        stats = broker.queue("blocks", capacity=50).stats()
    assert (stats.leased, stats.delayed, stats.dead, stats.retried) == (0, 0, 0, 0)
    assert stats.acked == len(done) == len(set(done))
    assert stats.accepted == stats.acked + stats.ready
    assert f"{stats.acked} done, 0 dead, {stats.ready} left" in service.printed()

    service = start(*words)
    service.wait_for(lambda: len(diary.read_bytes().splitlines()) == 311)
    assert service.end(signal.SIGINT) == 0
    assert Counter(line.split(" ", 1)[1] for line in diary.read_text().splitlines()) == Counter(
        f"added {hash}" for hash in canonical(node)
    )


@unix
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_does_not_wait_for_a_handler_that_hangs(
    tmp_path: Path, start: Callable[..., Service], anvil: str, url: str, number: int, code: int
) -> None:
    service = start(anvil, "--store", url, "--handler", "tests.cli.handlers:hang")
    service.wait_for((tmp_path / "diary").exists)
    service.process.send_signal(number)
    service.wait_for(lambda: "stopping: what runs is finished" in service.printed())
    with pytest.raises(subprocess.TimeoutExpired):
        service.process.wait(0.3)
    assert service.end(number) == code


def test_the_handler_checks_hashes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "lightbroker")
    head = next(iter(Recording.load())).head
    check_block(as_message(head))
    assert f"{head['hash']} added" in caplog.text
    with pytest.raises(InvalidBlock):
        check_block(as_message({**head, "gasUsed": "0x1"}))


def as_message(head: dict[str, Any]) -> Message:
    return Message("id", json.dumps(BlockMessage.from_header(head).to_dict()).encode(), 0.0)


def test_a_chain_that_cannot_be_followed_ends_with_1(
    url: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    chain, other = branch(None, 3), branch(None, 5, "other")
    with Server(chain[0], [*chain, *other], [[*chain[1:], other[-1]]]) as server:
        assert main(["watch", server.url, "--from", "100", "--store", url]) == 1
    out, err = capsys.readouterr()
    assert "blocks added 3, removed 0" in out
    assert "does not meet the chain at or above block 100" in err
    assert "secret" not in out + err + caplog.text


def test_the_node_can_be_named_by_the_environment(
    url: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, other = branch(None, 3), branch(None, 5, "other")
    with Server(chain[0], [*chain, *other], [[*chain[1:], other[-1]]]) as server:
        monkeypatch.setenv("LIGHTBROKER_NODE", server.url)
        assert main(["watch", "--from", "100", "--store", url]) == 1  # as above: it ends by itself
    out, err = capsys.readouterr()
    assert "blocks added 3, removed 0" in out
    assert "secret" not in out + err + caplog.text


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["http://node"], "a node's address is ws://HOST… or wss://HOST…"),
        (["ws://node", "--handler", "json"], "'json' is not MODULE:FUNCTION"),
        (["ws://node", "--handler", "json:nothing"], "there is no 'json:nothing'"),
        (["ws://node", "--handler", "no.such:thing"], "there is no 'no.such:thing'"),
        (["ws://node", "--handler", "json:__name__"], "is no function"),
        (["ws://node", "--journal", "x"], "the queue is in memory"),
        (["ws://node", "--store", "nats://x"], "no store for"),
    ],
)
def test_what_makes_no_sense_ends_with_2_before_anything_begins(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert main(["watch", *words]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert complaint in line
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_no_file_needs_a_journal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with fresh_url(STORES["redis"], tmp_path) as url:
        assert main(["watch", "ws://127.0.0.1:1", "--store", url]) == 2
    assert "--journal: name a file that remembers what was queued" in capsys.readouterr().err


def test_other_bounds_than_those_of_the_store_are_refused(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Broker(url) as broker:
        broker.queue("blocks", capacity=7)
    assert main(["watch", "ws://127.0.0.1:1", "--store", url]) == 2
    assert "declared already, with other options" in capsys.readouterr().err


def test_a_queue_that_another_watcher_feeds_is_refused(
    start: Callable[..., Service], anvil: str, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    start(anvil, "--store", url).follows()
    assert main(["watch", anvil, "--store", url]) == 2
    assert "another watcher feeds this queue" in capsys.readouterr().err
