"""A node's chain as a source: its heads as it announces them, over as many connections as it takes."""

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
"""How long it waits after a connection failed: with full jitter, so that the clients of a node come back spread out."""

HEALTHY = 60.0
"""Seconds after which a connection counts as good, and the next failure as the first."""

SILENT_SLOTS = 3
"""Slots without a head after which something is wrong."""

FINAL = 64
"""Blocks below the latest that a reorganisation hardly ever reaches: two epochs of Ethereum. To begin lower than that
means that every block which is taken out again was announced before."""

STRIDE = 256
"""Blocks that are fetched together while the chain is far ahead: what is held in memory, however long the gap."""


class LiveChain:
    """Follows the heads of one node into a watcher until it is stopped.

    Each connection begins with the node's latest block, so what was missed is filled at once and not with the next
    head. A watcher that waits for room in its queue reads nothing more, and back-pressure reaches the node's socket;
    if that takes longer than the connection bears (`rpc.PING`), it is made again and the gap filled.
    """

    def __init__(
        self, url: str, *, start: int | None = None, slot: float | None = None, reconnect: Retry = RECONNECT
    ) -> None:
        """Name the node; nothing is connected yet.

        Args:
            url: its WebSocket address.
            start: the number of the first block, for a watcher that has none yet (None: FINAL blocks below the latest).
            slot: seconds from block to block (None: measured from the blocks' timestamps).
            reconnect: how long to wait after each failure in a row; its `max_attempts` does not matter.

        Raises:
            ValueError: `url` is no ws:// or wss:// address, `start` is negative, or `slot` is not positive.
        """
        self.connections = 0
        """Connections made so far."""
        self.silent = False
        """Whether no head has come for three slots."""
        self._url = check_address(url)
        if start is not None and start < 0:
            raise ValueError(f"start must be the number of a block, not {start}")
        self._start = start
        self._slot = None if slot is None else check_number("slot", slot, above=True)
        self._reconnect = reconnect
        self._stopping = threading.Event()
        self._node: Node | None = None

    def block(self, digest: str) -> Mapping[str, Any] | None:
        """Return the block with the hash `digest`: what a `ChainWatcher` fetches with.

        Raises BlockUnavailable if the node still lacks it after some seconds, ConnectionLost without a connection.
        """
        if self._node is None:
            raise ConnectionLost("there is no connection to the node")
        return self._node.fetch(digest)

    def follow(self, watcher: ChainWatcher) -> None:
        """Show `watcher` the chain as it grows, until `stop` is called.

        A connection that fails, a node that contradicts itself and a queue that refuses are tried again after a while.
        Raises ReorgTooDeep and GapTooLong, which trying again cannot mend, and what else a push raises.
        """
        rng = random.Random(self._reconnect.seed)
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                with Node(self._url) as self._node:
                    self.connections += 1
                    if not self._stopping.is_set():  # `stop` may have come too early to find this connection
                        self._listen(self._node, watcher)
            except QueueClosed:
                if not self._stopping.is_set():
                    raise
            # ValueError: a block that is malformed.
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
        """Let `follow` return; any thread may call it. A watcher that waits for room goes on when its queue closes."""
        self._stopping.set()
        node = self._node
        if node is not None:
            node.close()

    def _listen(self, node: Node, watcher: ChainWatcher) -> None:
        node.subscribe()  # first: no head can come between the latest block and the first one announced
        self._catch_up(node, watcher)
        log.info("following the chain from block %d", watcher.chain[-1].number)
        while not self._stopping.is_set():
            slot = self._slot or measured_slot(watcher.chain)
            try:
                _, head = node.head(SILENT_SLOTS * slot)
            except TimeoutError:
                self._miss(node, watcher, slot)
                continue
            self._see(watcher, head)

    def _miss(self, node: Node, watcher: ChainWatcher, slot: float) -> None:
        """No head for three slots: the chain halts, or the subscription died without a word."""
        if not self.silent:
            log.warning("no head for %d slots of %g s", SILENT_SLOTS, slot)
        self.silent = True
        tip = watcher.chain[-1]
        self._catch_up(node, watcher)
        if watcher.chain[-1] != tip:
            raise ConnectionLost("the chain went on, but the node announced nothing")

    def _catch_up(self, node: Node, watcher: ChainWatcher) -> None:
        """Follow the chain to the node's latest block, in strides if that is far away."""
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
        """Show a head, unless it is the tip or so old that the node must be behind (it is syncing, for example)."""
        if block_number(head) < watcher.chain[0].number:
            log.info("the node is behind: it names block %d as its newest", block_number(head))
        elif block_hash(head) != watcher.chain[-1].hash:
            watcher.see(head)
            self.silent = False


def measured_slot(chain: tuple[BlockMessage, ...]) -> float:
    """The median time from block to block, in seconds; at least 1, which is how finely blocks are stamped."""
    newest = chain[-33:]
    gaps = [later.timestamp - earlier.timestamp for earlier, later in pairwise(newest)]
    return max(1.0, statistics.median(gaps)) if gaps else 12.0
