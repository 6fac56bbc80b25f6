"""Follows the heads that a node announces and queues each block that joins or leaves the chain."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lightbroker.core.broker import Broker
from lightbroker.core.errors import check_count
from lightbroker.watcher.block import BlockMessage, block_hash
from lightbroker.watcher.errors import BlockUnavailable, GapTooLong, InvalidBlock, ReorgTooDeep
from lightbroker.watcher.journal import Journal

Fetch = Callable[[str], Mapping[str, Any] | None]
"""Returns the JSON-RPC block with a given hash, or None: `eth_getBlockByHash(hash, false)`."""


@dataclass(slots=True)
class WatcherStats:
    """What a watcher has counted since it was made.

    Attributes:
        heads: announcements followed, duplicates included; a head seen again after an error counts once.
        duplicates: announcements of a block that was already in the chain.
        filled: blocks that no announcement named when they joined, fetched by hash: the gaps, in blocks.
        reorganisations: how often the chain left a branch for another.
        removed: blocks taken out by reorganisations.
        added: blocks that joined the chain, those of a new branch included.
    """

    heads: int = 0
    duplicates: int = 0
    filled: int = 0
    reorganisations: int = 0
    removed: int = 0
    added: int = 0


class ChainWatcher:
    """Turns announced heads into a complete, ordered stream of blocks on a queue and a topic.

    A node announces heads only while somebody is connected, may announce only the last of several, and leaves it to
    its clients to notice that a branch was replaced. So the watcher follows parent hashes, never counts: a head whose
    parent is unknown is followed back to a known ancestor, the blocks above that ancestor are emitted as "removed",
    newest first, and the new branch as "added", oldest first. Whoever applies these messages in order always holds
    one valid chain.

    A block's identity is its hash, and a duplicate is a block that is in the chain now: one that a reorganisation
    removed is news again when the node returns to its branch.

    Nothing is lost when a push or publish raises, a full queue and Ctrl-C included: the watcher's chain advances
    block by block, each after its push, and the next call of `see` first finishes the block that was interrupted. If
    the push had succeeded all the same, that block is queued twice; queues deliver at least once anyway. A queue that
    drops on overflow loses blocks by its own policy, so declare it with Overflow.BLOCK or Overflow.REJECT. With a
    journal, not even the death of the process loses or repeats a block.

    One thread at a time may call `see`, which waits when the queue is full or the node is slow; a source on an event
    loop calls it in a thread, so that back-pressure reaches its socket.
    """

    def __init__(
        self,
        broker: Broker,
        fetch: Fetch,
        *,
        queue: str = "blocks",
        topic: str = "chain.heads",
        window: int = 256,
        max_fetch: int = 1024,
        chain: Iterable[BlockMessage] = (),
        journal: Journal | None = None,
    ) -> None:
        """Follow a chain from `chain`, or from the first head seen.

        Args:
            broker: receives every block, on `queue` and on `topic`.
            fetch: returns the JSON-RPC block with a given hash, or None if the node does not have it.
            queue: the queue pushed to.
            topic: the topic published on.
            window: how many of the newest blocks are kept to recognise duplicates and forks.
            max_fetch: how many missing blocks one head may cause to be fetched.
            chain: blocks to go on from, oldest first: an earlier watcher's `chain`, or ancestors of the first head, so
                that it may turn out to be on a losing branch.
            journal: pushes in the broker's place, to its own queue; `chain` then is the journal's.

        Raises:
            TypeError, ValueError: `window` or `max_fetch` is not a positive whole number, or `chain` is not linked by
                parent hashes.
        """
        self._broker = broker
        self._fetch = fetch
        self._queue = queue
        self._topic = topic
        self._window = check_count("window", window)
        self._max_fetch = check_count("max_fetch", max_fetch)
        self._journal = journal
        self._chain: OrderedDict[str, BlockMessage] = OrderedDict()
        for block in journal.chain if journal else chain:
            if self._chain and block.parent_hash != next(reversed(self._chain)):
                raise ValueError(f"chain: block {block.number} {block.hash} is not a child of the block before it")
            self._chain[block.hash] = block
        self._stats = WatcherStats()
        self._head: str | None = None
        self._unfinished: BlockMessage | None = None
        self._reorganising = False

    @property
    def chain(self) -> tuple[BlockMessage, ...]:
        """The newest blocks of the canonical chain, oldest first, at most `window` of them."""
        return tuple(self._chain.values())

    @property
    def stats(self) -> WatcherStats:
        """A copy of the counts."""
        return replace(self._stats)

    def see(self, head: Mapping[str, Any]) -> None:
        """Follow the chain to `head`, a JSON-RPC head as the node announced it.

        Geth's announcements leave out the transactions; such a head is completed by one fetch. After an error the
        watcher stands where it stopped: call again with the same head to resume, or go on with the next one, which
        fills what is missing.

        Raises:
            ValueError: the head or a fetched block is malformed; the message names the field.
            BlockUnavailable: the node does not have a block that is needed.
            InvalidBlock: a block's number does not follow its parent's.
            GapTooLong: more than `max_fetch` blocks would have to be fetched.
            ReorgTooDeep: the head forks off below the oldest of the `window` blocks kept.
            BrokerError: whatever the push or publish raised, QueueFull for example.
        """
        self._finish()
        digest = block_hash(head)
        block = BlockMessage.from_header(head if "transactions" in head else self._request(digest))
        if block.hash != self._head:
            self._stats.heads += 1
            if block.hash in self._chain:
                self._stats.duplicates += 1
                return
            self._head = block.hash
        removed, added = self._path_to(block)
        for step in (*removed, *added):
            self._unfinished = step
            self._finish()
        self._head = None

    def _path_to(self, head: BlockMessage) -> tuple[list[BlockMessage], list[BlockMessage]]:
        """Return the blocks to remove, newest first, and those to add, oldest first, so that `head` is the tip."""
        if not self._chain:
            return [], [head]
        if head.hash in self._chain:
            return [], []
        branch = [head]
        bottom, tip = next(iter(self._chain.values())), next(reversed(self._chain.values()))
        while (parent := self._chain.get(branch[-1].parent_hash)) is None:
            oldest = branch[-1]
            if oldest.number <= bottom.number + 1:
                raise ReorgTooDeep(
                    f"the branch of head {head.number} {head.hash} does not meet the chain at or above block "
                    f"{bottom.number}, the oldest of {len(self._chain)} kept; start a new watcher with a larger "
                    "window, or with more of the head's ancestors as chain"
                )
            if len(branch) > self._max_fetch:
                raise GapTooLong(
                    f"head {head.number} {head.hash} is more than max_fetch={self._max_fetch} blocks away from the "
                    f"chain at block {tip.number}; start a new watcher from here, or one with a larger max_fetch"
                )
            branch.append(self._parent_of(oldest))
        _check_number(branch[-1], parent)
        removed = []
        for block in reversed(self._chain.values()):
            if block is parent:
                break
            removed.append(replace(block, kind="removed"))
        return removed, branch[::-1]

    def _parent_of(self, block: BlockMessage) -> BlockMessage:
        parent = BlockMessage.from_header(self._request(block.parent_hash))
        _check_number(block, parent)
        return parent

    def _request(self, digest: str) -> Mapping[str, Any]:
        block = self._fetch(digest)
        if block is None:
            raise BlockUnavailable(
                f"the node does not have block {digest}; go on with the next head, or ask another node"
            )
        if block_hash(block) != digest:
            raise BlockUnavailable(f"asked for block {digest}, the node answered with {block_hash(block)}")
        return block

    def _finish(self) -> None:
        """Emit the unfinished step, each part of it unless that part is known to be done."""
        block = self._unfinished
        if block is None:
            return
        body = block.to_dict()
        if (block.hash in self._chain) is not (block.kind == "added"):
            if self._journal is None:
                self._broker.push(self._queue, body)
            else:
                self._journal.push(block)
            self._advance(block)
        self._broker.publish(self._topic, body)
        self._unfinished = None

    def _advance(self, block: BlockMessage) -> None:
        if block.kind == "removed":
            del self._chain[block.hash]
            self._stats.removed += 1
            self._stats.reorganisations += not self._reorganising
            self._reorganising = True
            return
        self._chain[block.hash] = block
        while len(self._chain) > self._window:
            self._chain.popitem(last=False)
        self._stats.added += 1
        self._stats.filled += block.hash != self._head
        self._reorganising = False


def _check_number(block: BlockMessage, parent: BlockMessage) -> None:
    if block.number != parent.number + 1:
        raise InvalidBlock(
            f"block {block.hash} has number {block.number}, its parent {parent.hash} has {parent.number}; "
            "the node's answers contradict each other"
        )
