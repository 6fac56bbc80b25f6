"""LiveChain: a node's chain as a source. It connects to the node again whenever a connection fails."""

from __future__ import annotations

import logging
import random
import statistics
import threading
import time
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from lightbroker.core.errors import QueueClosed, QueueFull, check_number
from lightbroker.core.policy import Retry
from lightbroker.watcher.block import BlockMessage, block_hash, block_number
from lightbroker.watcher.errors import BlockUnavailable, ConnectionLost, InvalidBlock, NodeError
from lightbroker.watcher.rpc import Node, check_address
from lightbroker.watcher.watcher import ChainWatcher

log = logging.getLogger(__name__)

RECONNECT = Retry(base=0.5, cap=30.0)
"""How long to wait after a failed connection. Full jitter spreads out the clients that a node lost at the same time."""

HEALTHY = 60.0
"""Seconds after which a connection counts as good: the backoff then starts anew with the next failure."""

SILENT_SLOTS = 3
"""How many slots without a head are suspicious. A slot is the time from block to block."""

FINAL = 64
"""How many blocks below the latest a new watcher begins. That is two epochs of Ethereum, and a reorganisation hardly
ever reaches deeper. So the watcher has queued every block that a reorganisation removes."""

STRIDE = 256
"""The most blocks that are fetched at a time to close a long gap. This bounds the memory, however long the gap is."""


class LiveChain:
    """Shows the heads of one node to a watcher, until it is stopped.

    Every connection begins with the node's latest block. So blocks that were missed between two connections are fetched
    at once, and not only when the next head comes.

    While the watcher waits for room in its queue, nothing is read from the node, so back-pressure reaches the node's
    socket. If that lasts too long, the connection fails (see `rpc.PING`). It is then made again, and the gap is filled.

    Args:
        url: The node's WebSocket address. Nothing is connected before `follow`.
        start: The number of the first block, for a watcher without a chain. None means FINAL blocks below the latest.
        slot: Seconds from block to block. None means that they are measured from the blocks' timestamps.
        reconnect: How long to wait after each failure in a row. Its `max_attempts` has no effect.

    Raises:
        TypeError, ValueError: `url` is not a ws:// or wss:// address, `start` is negative, or `slot` is not a number
            above 0.

    Attributes:
        connections: How many connections were made so far.
        silent: Whether no head has come for SILENT_SLOTS slots.
    """

    def __init__(
        self, url: str, *, start: int | None = None, slot: float | None = None, reconnect: Retry = RECONNECT
    ) -> None:
        self.connections = 0
        self.silent = False
        self._url = check_address(url)
        if start is not None and start < 0:
            raise ValueError(f"start must be the number of a block, not {start}")
        self._start = start
        self._slot = None if slot is None else check_number("slot", slot, above=True)
        self._reconnect = reconnect
        self._stopping = threading.Event()
        self._node: Node | None = None

    def block(self, digest: str) -> Mapping[str, Any] | None:
        """Return the block with the hash `digest` as a JSON-RPC object. This is the `fetch` for a `ChainWatcher`.

        Raises:
            BlockUnavailable: The node does not have the block, even after some seconds.
            ConnectionLost: There is no connection to the node, or it was lost.
        """
        if self._node is None:
            raise ConnectionLost("there is no connection to the node")
        return self._node.fetch(digest)

    def follow(self, watcher: ChainWatcher) -> None:
        """Show the chain to `watcher` as it grows, until `stop` is called.

        After a failed connection, contradicting answers of the node, or QueueFull, it waits and connects again.

        Raises:
            ReorgTooDeep, GapTooLong: The chain cannot be followed any further; another connection would not help.
            BrokerError: A push or publish failed for a reason other than QueueFull.
        """
        rng = random.Random(self._reconnect.seed)
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                with Node(self._url) as self._node:
                    self.connections += 1
                    if not self._stopping.is_set():  # `stop` may have come too early to close this connection
                        self._follow_connection(self._node, watcher)
            except QueueClosed:
                if not self._stopping.is_set():
                    raise
            # A malformed block is a ValueError.
            except (NodeError, BlockUnavailable, InvalidBlock, QueueFull, ValueError) as error:
                if self._stopping.is_set():
                    return
                failures = 1 if time.monotonic() - began > HEALTHY else failures + 1
                wait = self._reconnect.delay(failures, rng)
                log.warning("%s; connecting again in %.1f s", error, wait)
                self._stopping.wait(wait)
            finally:
                self._node = None

    def stop(self) -> None:
        """Make `follow` return. Any thread may call this.

        A watcher that waits for room in its queue is not interrupted: it continues when there is room, or when the
        queue is closed.
        """
        self._stopping.set()
        node = self._node
        if node is not None:
            node.close()

    def _follow_connection(self, node: Node, watcher: ChainWatcher) -> None:
        node.subscribe()  # before the latest block is read, so that no block falls between that one and the first head
        self._catch_up(node, watcher)
        log.info("following the chain from block %d", watcher.chain[-1].number)
        while not self._stopping.is_set():
            slot = self._slot or measured_slot(watcher.chain)
            try:
                _, head = node.head(SILENT_SLOTS * slot)
            except TimeoutError:
                self._check_silence(node, watcher, slot)
                continue
            self._see(watcher, head)

    def _check_silence(self, node: Node, watcher: ChainWatcher, slot: float) -> None:
        """Find out why no head has come: either the chain halts, or the subscription has ended without an error.

        Raises ConnectionLost in the second case.
        """
        if not self.silent:
            log.warning("no head for %d slots of %g s", SILENT_SLOTS, slot)
        self.silent = True
        tip = watcher.chain[-1]
        self._catch_up(node, watcher)
        if watcher.chain[-1] != tip:
            raise ConnectionLost("the chain went on, but the node announced nothing")

    def _catch_up(self, node: Node, watcher: ChainWatcher) -> None:
        """Follow the chain to the node's latest block, at most STRIDE blocks at a time."""
        latest = node.block_at("latest")
        if not watcher.chain:
            first = max(0, block_number(latest) - FINAL) if self._start is None else self._start
            watcher.see(node.block_at(first))
        while block_number(latest) - watcher.chain[-1].number > STRIDE:
            if self._stopping.is_set():
                return
            log.info("catching up: block %d of %d", watcher.chain[-1].number, block_number(latest))
            watcher.see(node.block_at(watcher.chain[-1].number + STRIDE))
        self._see(watcher, latest)

    def _see(self, watcher: ChainWatcher, head: Mapping[str, Any]) -> None:
        """Show a head to the watcher, unless it is the watcher's newest block or older than all blocks of its chain.

        A head that old means that the node is behind: it is syncing, for example.
        """
        if block_number(head) < watcher.chain[0].number:
            log.info("the node is behind: it names block %d as its newest", block_number(head))
        elif block_hash(head) != watcher.chain[-1].hash:
            watcher.see(head)
            self.silent = False


def measured_slot(chain: tuple[BlockMessage, ...]) -> float:
    """Return the median time from block to block, in seconds.

    It is at least 1, because timestamps of blocks are whole seconds. Without two blocks it is 12, Ethereum's slot.
    """
    newest = chain[-33:]
    gaps = [later.timestamp - earlier.timestamp for earlier, later in pairwise(newest)]
    return max(1.0, statistics.median(gaps)) if gaps else 12.0
