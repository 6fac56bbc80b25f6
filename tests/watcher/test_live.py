"""Following a real node: whatever it and the connection do, the queue ends with its canonical chain, in order."""

from __future__ import annotations

import itertools
import json
import logging
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.watcher.extras import require

require("websockets")

from websockets.exceptions import ConnectionClosed  # noqa: E402
from websockets.sync.server import ServerConnection  # noqa: E402

from lightbroker import Broker, Overflow, Retry  # noqa: E402
from lightbroker.watcher import BlockMessage, ChainWatcher, ConnectionLost, ReorgTooDeep, live, rpc  # noqa: E402
from lightbroker.watcher.live import LiveChain, measured_slot  # noqa: E402
from lightbroker.watcher.rpc import Node  # noqa: E402
from tests.support import Call, wait_until  # noqa: E402
from tests.watcher.proxy import Proxy  # noqa: E402
from tests.watcher.toychain import Block, Ledger, added, block, branch, drain, steps  # noqa: E402
from tests.watcher.toyserver import Server  # noqa: E402

AT_ONCE = Retry(base=0.0)
times = itertools.count(1_750_001_000, 1000)
CHAIN = branch(None, 12)


@pytest.fixture
def broker() -> Iterator[Broker]:
    broker = Broker()
    yield broker
    broker.close(drain=False)


@pytest.fixture
def node(anvil: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """A connection to the node that is the test's own, to command it."""
    monkeypatch.setattr(rpc, "LAG_RETRIES", 0)  # anvil never lags: what it does not have is on a branch that it forgot
    with Node(anvil) as node:
        yield node


class Following:
    """A watcher that follows a node in the background."""

    def __init__(self, broker: Broker, url: str, **options: Any) -> None:
        self.chain = LiveChain(url, **{"reconnect": AT_ONCE, **options})
        self.watcher = ChainWatcher(broker, self.chain.block)
        self.call = Call(self.chain.follow, self.watcher)

    def tip(self) -> str | None:
        chain = self.watcher.chain
        return chain[-1].hash if chain else None

    def reach(self, hash: str) -> None:
        wait_until(lambda: self.tip() == hash)

    def stop(self) -> None:
        self.chain.stop()
        self.call.result()


@pytest.fixture
def follow(broker: Broker) -> Iterator[Any]:
    with ExitStack() as stack:

        def follow(url: str, **options: Any) -> Following:
            following = Following(broker, url, **options)
            stack.callback(following.stop)
            return following

        yield follow


def latest(node: Node) -> str:
    return str(node.block_at("latest")["hash"])


def canonical(node: Node) -> list[str]:
    top = int(node.call("eth_blockNumber"), 16)
    return [node.block_at(number)["hash"] for number in range(top + 1)]


def applied(bodies: list[Block]) -> list[str]:
    """Apply the messages in order, each of which must fit; return the chain that they lead to."""
    ledger = Ledger()
    for body in bodies:
        ledger.apply(body)
    return ledger.chain


def mine(node: Node, blocks: int = 1) -> None:
    """Mine blocks with times of their own: the same block on the same parent would be the one that was rolled back."""
    for _ in range(blocks):
        node.call("evm_mine", hex(next(times)))


# A real node


def test_heads_are_followed_as_they_are_announced(broker: Broker, node: Node, anvil: str, follow: Any) -> None:
    following = follow(anvil)
    following.reach(latest(node))
    mine(node, 5)
    following.reach(latest(node))
    assert applied(drain(broker)) == canonical(node)
    assert following.watcher.stats.reorganisations == 0


@pytest.mark.parametrize("depth", [1, 3, 8])
def test_a_reorganisation_is_emitted(broker: Broker, node: Node, anvil: str, follow: Any, depth: int) -> None:
    mine(node, 10)
    following = follow(anvil)
    following.reach(latest(node))
    before = canonical(node)
    drain(broker)
    node.call("anvil_reorg", depth, [])
    following.reach(latest(node))
    bodies = drain(broker)
    assert [body["hash"] for body in bodies if body["kind"] == "removed"] == before[: -depth - 1 : -1]
    assert [body["hash"] for body in bodies if body["kind"] == "added"] == canonical(node)[-depth:]


def test_a_rollback_that_nobody_announces_shows_with_the_next_head(
    broker: Broker, node: Node, anvil: str, follow: Any
) -> None:
    mine(node, 10)
    following = follow(anvil)
    following.reach(latest(node))
    node.call("anvil_rollback", 4)
    mine(node)
    following.reach(latest(node))
    assert applied(drain(broker)) == canonical(node)
    assert following.watcher.stats.removed == 4


def test_a_burst_of_blocks_arrives_complete(broker: Broker, node: Node, anvil: str, follow: Any) -> None:
    following = follow(anvil)
    following.reach(latest(node))
    node.call("anvil_mine", hex(40))
    following.reach(latest(node))
    assert applied(drain(broker)) == canonical(node)
    assert following.watcher.stats.added == 41


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_connections_are_cut_the_chain_is_complete_and_in_order(
    broker: Broker, node: Node, anvil: str, follow: Any, seed: int
) -> None:
    rng = random.Random(seed)
    with Proxy(anvil, cuts=15, seed=seed) as proxy:
        mine(node, 12)
        following = follow(proxy.url, start=0)
        for round in range(12):
            act = (round + seed) % 4
            if act == 0:
                node.call("anvil_reorg", rng.randint(1, 6), [])
            elif act == 1:
                node.call("anvil_rollback", rng.randint(1, 6))
                mine(node)
            elif act == 2:
                node.call("anvil_mine", hex(40))
            mine(node, rng.randint(1, 8))
            if rng.random() < 0.5:
                following.reach(latest(node))
        wait_until(lambda: proxy.connections > 3)
        mine(node)
        following.reach(latest(node))
        assert applied(drain(broker)) == canonical(node)
        assert following.chain.connections > 3
        following.stop()


def test_what_was_missed_is_filled_when_the_connection_is_back_and_not_with_the_next_head(
    broker: Broker, node: Node, anvil: str, follow: Any
) -> None:
    with Proxy(anvil) as proxy:
        following = follow(proxy.url)
        following.reach(latest(node))
        proxy.refusing = True
        proxy.cut()
        mine(node, 7)
        assert following.tip() != latest(node)
        proxy.refusing = False
        following.reach(latest(node))
        assert applied(drain(broker)) == canonical(node)
        following.stop()


def test_a_connection_that_passes_nothing_on_is_given_up(
    node: Node, anvil: str, follow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc, "PING", 0.2)
    monkeypatch.setattr(rpc, "CLOSING", 0.1)
    with Proxy(anvil) as proxy:
        following = follow(proxy.url)
        following.reach(latest(node))
        proxy.freeze()
        wait_until(lambda: proxy.connections >= 2)
        proxy.thaw()
        mine(node)
        following.reach(latest(node))
        following.stop()


def test_it_begins_low_enough_that_a_reorganisation_finds_its_fork(
    broker: Broker, node: Node, anvil: str, follow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "FINAL", 5)
    mine(node, 20)
    following = follow(anvil)
    following.reach(latest(node))
    node.call("anvil_reorg", 4, [])
    following.reach(latest(node))
    assert applied(drain(broker)) == canonical(node)[15:]


def test_a_long_way_to_the_latest_block_is_gone_in_strides(
    broker: Broker, node: Node, anvil: str, follow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STRIDE", 10)
    node.call("anvil_mine", hex(95))
    following = follow(anvil, start=3)
    following.reach(latest(node))
    assert applied(drain(broker)) == canonical(node)[3:]
    assert following.watcher.stats.heads >= 10


def test_a_full_queue_that_rejects_costs_the_connection_and_no_block(
    broker: Broker, node: Node, anvil: str, follow: Any
) -> None:
    broker.queue("blocks", capacity=10, overflow=Overflow.REJECT)
    mine(node, 25)
    following = follow(anvil)
    bodies = []
    while following.tip() != latest(node):
        bodies += drain(broker)
    assert applied([*bodies, *drain(broker)]) == canonical(node)
    assert broker.stats().queues["blocks"].refused > 0


# A node that misbehaves


def flooding(heads: list[Block], sent: list[str]) -> type[Server]:
    """A node that announces `heads` as fast as its socket takes them, padded to 128 kB each, and notes those sent."""

    class Flooding(Server):
        def _serve(self, socket: ServerConnection) -> None:
            request = json.loads(socket.recv())
            socket.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": "0x1"}))
            flood = threading.Thread(target=self._flood, args=(socket,))
            flood.start()
            super()._serve(socket)
            flood.join()

        def _flood(self, socket: ServerConnection) -> None:
            for head in heads:
                message = {"method": "eth_subscription", "params": {"result": {**head, "padding": "x" * 131_072}}}
                try:
                    socket.send(json.dumps(message))
                except ConnectionClosed:
                    return
                sent.append(head["hash"])

    return Flooding


def test_a_full_queue_stops_the_reading_of_the_socket(broker: Broker, follow: Any) -> None:
    """Back-pressure: between queue and node lie no more than the buffers of a connection, about 10 MB of the 40."""
    broker.queue("blocks", capacity=5)
    heads, sent = branch(CHAIN[0], 300), []
    with flooding(heads, sent)(CHAIN[0], heads, []) as server:
        following = follow(server.url, start=100)
        wait_until(lambda: broker.stats().queues["blocks"].ready == 5)
        announced = -1
        while announced != len(sent):  # until the node cannot get rid of another one
            announced = len(sent)
            threading.Event().wait(0.3)
        assert announced < 200
        assert len(following.watcher.chain) == 5
        bodies = []
        while following.tip() != heads[-1]["hash"]:
            bodies += drain(broker)
        bodies += drain(broker)
        assert steps(bodies) == added([CHAIN[0], *heads])
        following.stop()


def test_three_slots_without_a_head_are_a_warning_and_one_only(
    node: Node, anvil: str, follow: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "lightbroker")
    following = follow(anvil, slot=0.02)
    wait_until(lambda: following.chain.silent)
    threading.Event().wait(0.3)
    assert [record.getMessage() for record in caplog.records] == ["no head for 3 slots of 0.02 s"]
    mine(node)
    following.reach(latest(node))


def test_a_subscription_that_died_without_a_word_is_made_anew(
    broker: Broker, follow: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with Server(CHAIN[0], CHAIN, []) as server:
        following = follow(server.url, start=100, slot=0.02)
        following.reach(CHAIN[0]["hash"])
        server.anchor = CHAIN[5]
        following.reach(CHAIN[5]["hash"])
        wait_until(lambda: following.chain.connections == 2)
        following.stop()
    assert "the chain went on, but the node announced nothing" in caplog.text
    assert steps(drain(broker)) == added(CHAIN[:6])


@pytest.mark.parametrize(
    ("announced", "complaint"),
    [
        ("not json", "not JSON-RPC"),
        ("[" * 100_000, "not JSON-RPC"),
        ({**CHAIN[1], "number": "x"}, "number must be 0x and hex digits"),
        ({**CHAIN[1], "hash": None}, "hash must be 0x and 64 hex digits"),
        ({**CHAIN[1], "transactions": {}}, "transactions must be a list"),
        ({}, "number must be"),
        (block(CHAIN[0], "b", number=107), "the node's answers contradict each other"),
        ({**CHAIN[1], "padding": "x" * (rpc.MAX_MESSAGE + 1)}, "1009"),
    ],
    ids=lambda value: str(value)[:25],
)
def test_what_a_node_cannot_mean_costs_it_the_connection_and_nothing_else(
    broker: Broker, follow: Any, caplog: pytest.LogCaptureFixture, announced: Any, complaint: str
) -> None:
    with Server(CHAIN[0], CHAIN, [[announced], [CHAIN[1]]], answers=99) as server:
        following = follow(server.url, start=100)
        following.reach(CHAIN[1]["hash"])
        following.stop()
    assert complaint in caplog.text
    assert steps(drain(broker)) == added(CHAIN[:2])


def test_a_node_that_answers_with_another_block_is_not_believed(follow: Any, caplog: pytest.LogCaptureFixture) -> None:
    with Server(CHAIN[3], CHAIN, []) as server:
        following = follow(server.url, start=100)
        wait_until(lambda: following.chain.connections > 1)
        following.stop()
    assert "asked for block 100, the node answered with block 103" in caplog.text
    assert following.tip() is None


def test_a_node_that_is_behind_is_waited_for(broker: Broker, follow: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "lightbroker")
    old = block(None, "old", number=7)
    with Server(CHAIN[0], CHAIN, [[old, CHAIN[1]]]) as server:
        following = follow(server.url, start=100)
        following.reach(CHAIN[1]["hash"])
        following.stop()
    assert "the node is behind: it names block 7 as its newest" in caplog.text
    assert steps(drain(broker)) == added(CHAIN[:2])


def test_times_that_make_no_sense_end_nothing(broker: Broker, follow: Any) -> None:
    late = {**CHAIN[1], "timestamp": "0x" + "f" * 64}
    with Server(CHAIN[0], CHAIN, [[late]]) as server:
        following = follow(server.url, start=100)
        following.reach(late["hash"])
        assert following.call.blocks()
        following.stop()


def test_a_branch_that_meets_no_block_kept_ends_the_following(broker: Broker) -> None:
    other = branch(None, 5, "other")
    with Server(CHAIN[0], [*CHAIN, *other], [[CHAIN[1], other[-1]]]) as server:
        chain = LiveChain(server.url, start=100)
        with pytest.raises(ReorgTooDeep):
            chain.follow(ChainWatcher(broker, chain.block))


# Connecting and stopping


class Waits(Retry):
    """Waits for nothing, and keeps the number of each failure."""

    def delay(self, attempt: int, rng: random.Random) -> float:
        attempts.append(attempt)
        return 0.0


attempts: list[int] = []


@pytest.mark.parametrize(("healthy", "expected"), [(1000.0, [1, 2, 3, 4]), (-1.0, [1, 1, 1, 1])])
def test_failures_in_a_row_wait_ever_longer_and_a_healthy_period_forgets_them(
    follow: Any, monkeypatch: pytest.MonkeyPatch, healthy: float, expected: list[int]
) -> None:
    attempts.clear()
    monkeypatch.setattr(live, "HEALTHY", healthy)
    with Server(CHAIN[0], CHAIN, [[], [], [], [], []]) as server:
        following = follow(server.url, start=100, reconnect=Waits())
        wait_until(lambda: following.chain.connections == 5)
        assert attempts == expected
        following.stop()


def test_the_waits_are_exponential_with_full_jitter() -> None:
    assert (live.RECONNECT.jitter, live.RECONNECT.factor) == (True, 2.0)
    assert max(live.RECONNECT.delay(attempt, random.Random(1)) for attempt in range(1, 100)) <= 30.0


@pytest.mark.parametrize("url", ["http://node/secret", "node/secret", "ws:///secret", "wss://node/secret#part", ""])
def test_an_address_that_is_none_is_refused_without_its_key(url: str) -> None:
    with pytest.raises(ValueError, match=r"ws://HOST") as caught:
        LiveChain(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("option", "value"), [("start", -1), ("slot", 0.0), ("slot", -1.0)])
def test_options_that_make_no_sense_are_refused(option: str, value: float) -> None:
    with pytest.raises(ValueError, match=option):
        LiveChain("ws://node", **{option: value})  # type: ignore[arg-type]


def test_nothing_is_fetched_without_a_connection() -> None:
    with pytest.raises(ConnectionLost, match="no connection"):
        LiveChain("ws://node").block(CHAIN[0]["hash"])


def test_stopping_ends_the_wait_between_two_connections() -> None:
    with Server(CHAIN[0], [], []) as server:
        url = server.url
    chain = LiveChain(url, reconnect=Retry(base=1000.0, cap=1000.0, jitter=False))
    following = Call(chain.follow, ChainWatcher(Broker(), chain.block))
    assert following.blocks()
    chain.stop()
    following.result()


def test_stopping_and_closing_ends_a_wait_for_room(broker: Broker, node: Node, anvil: str) -> None:
    broker.queue("blocks", capacity=2)
    mine(node, 10)
    chain = LiveChain(anvil)
    following = Call(chain.follow, ChainWatcher(broker, chain.block))
    wait_until(lambda: broker.stats().queues["blocks"].ready == 2)
    chain.stop()
    assert following.blocks()
    broker.close(drain=False)
    following.result()


def test_a_slot_is_the_median_of_the_newest(broker: Broker) -> None:
    messages = [BlockMessage.from_header(head) for head in branch(None, 50)]
    assert measured_slot(tuple(messages)) == 12.0
    assert measured_slot(()) == measured_slot(tuple(messages[:1])) == 12.0
    same = BlockMessage.from_header({**CHAIN[0], "timestamp": "0x1"})
    assert measured_slot((same, same, same)) == 1.0
