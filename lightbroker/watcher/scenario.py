"""Record a local chain that does on purpose everything that a watcher has to survive.

    python -m lightbroker.watcher.scenario heads.jsonl.gz --anvil node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil

The program starts anvil, a node for tests (npm package @foundry-rs/anvil). It mines a block in every slot, with a
varying number of transactions, and records what the node announces. Between quiet stretches, blocks are replaced, the
connection goes down, heads are announced twice, and the chain halts and catches up.

A slot is the time from block to block. By the timestamps of the blocks it is 12 s long, but it passes in SLOT seconds.
The recorded offsets are scaled, so that a slot is 12 s long in the recording too.
"""

from __future__ import annotations

import argparse
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from lightbroker.watcher.capture import Capture, describe
from lightbroker.watcher.errors import ChainError, ConnectionLost
from lightbroker.watcher.format import RecordingWriter
from lightbroker.watcher.rpc import Node

SLOT = 0.1
"""Seconds that a slot takes while recording."""

CHAIN_SLOT = 12
"""Seconds that a slot takes according to the timestamps of the blocks."""

GENESIS = 1_750_000_000
"""The timestamp of block 0, in Unix seconds."""

START_TIMEOUT = 10.0
"""Seconds for the node to accept connections after its start."""

DESCRIPTION = (
    "A local anvil chain (id 31337), not mainnet: made-up accounts and transfers, with reorganisations, gaps, "
    "duplicates and an outage made on purpose. Offsets are the real times of arrival times time_scale, "
    "because each 12 s slot of the chain was mined in 0.1 s."
)
LICENSE = "MIT, like LightBroker; the data was generated for it"


@contextmanager
def anvil(binary: str) -> Iterator[str]:
    """Run an anvil node that mines on demand, for the duration of the context. Yield its WebSocket address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"ws://127.0.0.1:{port}"
    command = [binary, "--quiet", "--port", str(port), "--no-mining", "--timestamp", str(GENESIS)]
    with subprocess.Popen(command) as process:
        try:
            deadline = time.monotonic() + START_TIMEOUT
            while True:
                try:
                    Node(url).close()
                    break
                except ConnectionLost:
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)
            yield url
        finally:
            process.terminate()


class Chain:
    """Mines blocks on a node in real time, one in each slot.

    Args:
        node: The connection to the node.
        seed: Decides the transactions and the slots without a block.
    """

    def __init__(self, node: Node, seed: int) -> None:
        self._node = node
        self._random = random.Random(seed)
        self._accounts = node.call("eth_accounts")
        self._slot = 0
        self._start = time.monotonic()
        node.call("anvil_setBlockTimestampInterval", CHAIN_SLOT)

    def mine(self, slots: int) -> None:
        """Let `slots` slots pass and mine a block in each. As on Ethereum, 0.8 % of the slots stay without a block."""
        for _ in range(slots):
            self._next_slot()
            if self._random.random() >= 0.008:
                self._node.call("evm_mine", hex(GENESIS + CHAIN_SLOT * self._slot))

    def reorganise(self, depth: int) -> None:
        """Replace the newest `depth` blocks by others."""
        pairs = [[transfer, offset] for offset in range(depth) for transfer in self._transfers()]
        self._node.call("anvil_reorg", depth, pairs)

    def halt(self, slots: int) -> None:
        """Let `slots` slots pass without a block while transactions pile up, then mine all their blocks at once."""
        for _ in range(slots):
            self._next_slot()
        self._node.call("anvil_mine", hex(slots), hex(CHAIN_SLOT))

    def _next_slot(self) -> None:
        """Wait for the next slot, and send some transactions."""
        self._slot += 1
        time.sleep(max(0.0, self._start + self._slot * SLOT - time.monotonic()))
        for transfer in self._transfers():
            self._node.call("eth_sendTransaction", transfer)

    def _transfers(self) -> list[dict[str, str]]:
        """Return a random number of random transfers: 2 on average, often none."""
        number = min(8, int(self._random.expovariate(0.4)))
        pairs = (self._random.sample(self._accounts, 2) for _ in range(number))
        return [{"from": sender, "to": receiver, "value": hex(10**15)} for sender, receiver in pairs]


@contextmanager
def following(url: str, capture: Capture, *, subscriptions: int = 1) -> Iterator[None]:
    """Record in a background thread, over a connection of its own, for the duration of the context."""
    with Node(url) as node, ThreadPoolExecutor(1) as executor:
        for _ in range(subscriptions):
            node.subscribe()
        done = executor.submit(capture.follow, node, sys.maxsize)
        try:
            yield
            time.sleep(SLOT)
        finally:
            node.close()
        done.result()


def play(url: str, chain: Chain, capture: Capture) -> None:
    """Play the whole scenario, about 500 heads. The connection is down where there is no `following`."""
    with following(url, capture):
        chain.mine(70)
        chain.reorganise(1)
        chain.mine(45)
        chain.reorganise(2)
        chain.mine(40)
    with following(url, capture, subscriptions=2):
        chain.mine(6)
    with following(url, capture):
        chain.mine(30)
        chain.reorganise(3)
        chain.mine(50)
    chain.mine(4)
    with following(url, capture):
        chain.mine(40)
        chain.halt(40)
        chain.mine(35)
        chain.reorganise(1)
        chain.mine(1)
        chain.reorganise(1)
        chain.mine(30)
    chain.reorganise(2)
    chain.mine(1)
    with following(url, capture):
        chain.mine(45)
        chain.reorganise(5)
        chain.mine(50)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m lightbroker.watcher.scenario",
        description="Record a local anvil chain that reorganises, loses connections, repeats itself and halts. "
        "Takes about a minute.",
    )
    parser.add_argument("out", help="the file to write, gzipped JSON lines; an existing one is replaced")
    parser.add_argument("--anvil", default="anvil", metavar="FILE", help="the anvil program (default: from the PATH)")
    parser.add_argument("--seed", type=int, default=1, help="for transactions and missed slots (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        with anvil(options.anvil) as url, Node(url) as node, open(options.out, "wb") as stream:
            info = describe(node, DESCRIPTION, time_scale=CHAIN_SLOT / SLOT)
            with RecordingWriter(stream, {**info, "license": LICENSE}) as writer:
                capture = Capture(writer, node.block_at("latest"), time_scale=CHAIN_SLOT / SLOT)
                play(url, Chain(node, options.seed), capture)
    except (ChainError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{capture.heads} heads recorded")
    return 0


if __name__ == "__main__":
    sys.exit(main())
