"""A node in a dictionary, and a consumer that insists on holding one valid chain."""

from __future__ import annotations

import hashlib
from typing import Any

from lightbroker import Broker, QueueEmpty

Block = dict[str, Any]


def block(parent: Block | None, branch: str = "a", number: int | None = None) -> Block:
    """Return a JSON-RPC block on top of `parent`; `branch` tells siblings apart."""
    height = number if number is not None else int(parent["number"], 16) + 1 if parent else 100
    parent_hash = parent["hash"] if parent else "0x" + "0" * 64
    return {
        "number": hex(height),
        "hash": "0x" + hashlib.sha256(f"{parent_hash} {branch} {height}".encode()).hexdigest(),
        "parentHash": parent_hash,
        "timestamp": hex(1_750_000_000 + 12 * height),
        "gasUsed": "0x5208",
        "transactions": ["0x" + "1" * 64],
    }


def branch(parent: Block | None, length: int, name: str = "a") -> list[Block]:
    """Return `length` blocks, oldest first, on top of `parent`."""
    blocks: list[Block] = []
    for _ in range(length):
        blocks.append(block(blocks[-1] if blocks else parent, name))
    return blocks


class ToyNode:
    """Answers fetches by hash, and counts them."""

    def __init__(self, *branches: list[Block]) -> None:
        """Know all blocks of `branches`."""
        self.blocks = {block["hash"]: block for blocks in branches for block in blocks}
        self.fetched: list[str] = []

    def fetch(self, digest: str) -> Block | None:
        """Return the block with the hash `digest`, or None."""
        self.fetched.append(digest)
        return self.blocks.get(digest)


class Ledger:
    """Applies block messages in order; asserts that each one fits.

    With `repeats`, a message may come again right after itself: at least once is what a queue promises.
    """

    def __init__(self, *, repeats: bool = False) -> None:
        """Start without a block."""
        self.chain: list[str] = []
        self._last: Block = {}
        self._repeats = repeats

    def apply(self, message: Block) -> None:
        """Put an added block on top, take a removed one from there."""
        if self._repeats and message == self._last:
            return
        self._last = message
        if message["kind"] == "added":
            assert not self.chain or message["parent_hash"] == self.chain[-1]
            self.chain.append(message["hash"])
        else:
            assert message["hash"] == self.chain.pop()


def drain(broker: Broker, queue: str = "blocks") -> list[Block]:
    """Pull and acknowledge everything that is ready."""
    bodies: list[Block] = []
    while True:
        try:
            delivery = broker.pull(queue, timeout=0)
        except QueueEmpty:
            return bodies
        delivery.ack()
        bodies.append(delivery.message.json())


def steps(bodies: list[Block]) -> list[tuple[str, str]]:
    """Return kind and hash of each body: what a test compares."""
    return [(body["kind"], body["hash"]) for body in bodies]


def added(blocks: list[Block]) -> list[tuple[str, str]]:
    """Return the steps that add `blocks`, oldest first."""
    return [("added", block["hash"]) for block in blocks]


def removed(blocks: list[Block]) -> list[tuple[str, str]]:
    """Return the steps that remove `blocks`, newest first."""
    return [("removed", block["hash"]) for block in reversed(blocks)]
