"""Record the heads that a node announces, with every block that they build on.

    python -m lightbroker.watcher.capture wss://node.example/ heads.jsonl.gz --heads 500

A node does not announce every block: the connection may be down, and of several new blocks it may announce only the
last. The blocks between are fetched by hash, so that a watcher can follow the recording without the node.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from lightbroker.watcher.block import block_hash
from lightbroker.watcher.errors import ChainError, ConnectionLost, GapTooLong, ReorgTooDeep
from lightbroker.watcher.format import RecordingWriter
from lightbroker.watcher.rpc import Node

MAX_GAP = 1024
"""The most missing blocks that are fetched for one head."""

MAX_BACKOFF = 30.0
"""The longest wait between two attempts to connect, in seconds."""


class Capture:
    """Records what one node announces, over one connection or several in a row.

    Args:
        writer: Receives the heads and blocks.
        anchor: The block that the first head builds on, as the node returned it. The recording starts with it.
        time_scale: Recorded seconds for each second that passes.

    Attributes:
        heads: How many heads were recorded so far.
    """

    def __init__(self, writer: RecordingWriter, anchor: Mapping[str, Any], *, time_scale: float = 1.0) -> None:
        self.heads = 0
        self._writer = writer
        self._time_scale = time_scale
        self._start = time.monotonic()
        self._lowest = int(anchor["number"], 16)
        self._known = {block_hash(anchor)}
        writer.block(0.0, anchor)

    def follow(self, node: Node, limit: int) -> None:
        """Record the heads that `node` announces, until the connection is closed or `limit` heads were recorded.

        Args:
            node: The connection, which has subscribed to heads.
            limit: How many heads to record, those of earlier connections included.

        Raises:
            BlockUnavailable: The node does not have a block between the recorded chain and a head.
            GapTooLong: More than MAX_GAP blocks are missing between the recorded chain and a head.
            ReorgTooDeep: A head belongs to a branch that leaves the chain below the first recorded block.
            ConnectionLost: The node stopped answering.
        """
        for arrived, head in node.heads():
            full = head if "transactions" in head else node.fetch(block_hash(head))
            missing = self._missing(node, full)
            offset = (arrived - self._start) * self._time_scale
            for block in missing:
                self._writer.block(offset, block)
            self._writer.head(offset, full)
            self._known.update(map(block_hash, (*missing, full)))
            self.heads += 1
            if self.heads >= limit:
                return

    def _missing(self, node: Node, head: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Fetch the ancestors of `head` that were not recorded yet, and return them oldest first."""
        branch = [head]
        while block_hash(branch[-1]) not in self._known and branch[-1]["parentHash"] not in self._known:
            if int(branch[-1]["number"], 16) <= self._lowest:
                raise ReorgTooDeep(f"a reorganisation reached below block {self._lowest}, the first one; start again")
            if len(branch) > MAX_GAP:
                raise GapTooLong(f"head {head['hash']} is more than {MAX_GAP} blocks away from the last; start again")
            branch.append(node.fetch(branch[-1]["parentHash"]))
        return branch[:0:-1]


def describe(node: Node, description: str, *, time_scale: float) -> dict[str, Any]:
    """Return the first line of a recording of `node`. The node's address is left out: it may hold an access key.

    Args:
        node: The connection to the node.
        description: What is recorded, in a sentence or two.
        time_scale: Recorded seconds for each second that passes.
    """
    return {
        "chain_id": int(node.call("eth_chainId"), 16),
        "description": description,
        "node": node.call("web3_clientVersion"),
        "captured_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "time_scale": time_scale,
    }


def record(url: str, path: str, heads: int) -> None:
    """Record `heads` heads of the node at `url` to the file `path`. After a lost connection it connects again.

    The wait before a new connection grows with each connection in a row that brought no head.
    """
    with Node(url) as node:
        info = describe(node, "Heads as the node announced them, in real time.", time_scale=1.0)
        anchor = node.block_at("latest")
    with open(path, "wb") as stream, RecordingWriter(stream, info) as writer:
        capture = Capture(writer, anchor)
        backoff = 0.0
        while capture.heads < heads:
            before = capture.heads
            try:
                with Node(url) as node:
                    node.subscribe()
                    capture.follow(node, heads)
            except ConnectionLost as error:
                print(f"{error}; connecting again", file=sys.stderr)
            if capture.heads == before:
                backoff = min(MAX_BACKOFF, 2 * backoff + 1)
                time.sleep(backoff)
            else:
                backoff = 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m lightbroker.watcher.capture",
        description="Record the heads that an Ethereum node announces, for replaying without the node. "
        "Ctrl-C ends the recording early and leaves a valid file.",
    )
    parser.add_argument("url", help="the node's WebSocket address, ws:// or wss://")
    parser.add_argument("out", help="the file to write, gzipped JSON lines; an existing one is replaced")
    parser.add_argument("--heads", type=int, default=500, metavar="N", help="stop after N heads (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.heads < 1:
        parser.error(f"--heads must be at least 1, got {options.heads}")
    try:
        record(options.url, options.out, options.heads)
    except (ChainError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped early", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
