"""ChainWatcher: follow the heads that a node announces, and queue each block that joins or leaves the chain."""

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
"""A function that returns the JSON-RPC block with a given hash, or None: `eth_getBlockByHash(hash, false)`."""


@dataclass(slots=True)
class WatcherStats:
    """What a watcher has counted since it was made.

    Attributes:
        heads: Heads seen, duplicates included. A head that is shown again after an error counts once.
        duplicates: Heads that were already in the chain.
        filled: Blocks that joined the chain without being announced: they were missing between the chain and a head,
            and were fetched by hash.
        reorganisations: How often the chain left one branch for another.
        removed: Blocks that reorganisations took out of the chain.
        added: Blocks that joined the chain, those of a new branch included.
    """

    heads: int = 0
    duplicates: int = 0
    filled: int = 0
    reorganisations: int = 0
    removed: int = 0
    added: int = 0


class ChainWatcher:
    """Turns announced heads into a complete, ordered stream of blocks on a queue and a topic.

    Heads alone are not enough. A node announces a head only while a client is connected. Of several new blocks it may
    announce only the last. And it does not say when a branch was replaced. So the watcher relies on parent hashes, not
    on block numbers. If the parent of a head is unknown, the watcher fetches ancestors until it reaches a block of its
    chain. It emits the blocks above that ancestor as "removed", newest first, and then the new branch as "added",
    oldest first. A consumer that applies these messages in order always has one valid chain.

    A block's identity is its hash. A duplicate is a block that is in the chain now. A block that a reorganisation
    removed is no duplicate when the node returns to its branch.

    No block is lost when a push or publish raises, be it QueueFull or KeyboardInterrupt. The watcher's chain advances
    block by block, each after its push, and the next call of `see` first finishes the block that was interrupted. If
    the interrupted push had succeeded after all, that block is queued twice, as with any producer that repeats a push.
    With a journal, even the death of the process neither loses nor repeats a block.

    A queue that drops messages on overflow loses blocks by its own policy. Declare it with Overflow.BLOCK or
    Overflow.REJECT.

    One thread at a time may call `see`. It blocks while the queue is full or the node is slow. A source on an event
    loop should call it in a thread, and read the next head when it returns. Then back-pressure reaches the socket.

    Args:
        broker: Receives every block, on `queue` and on `topic`.
        fetch: Returns the JSON-RPC block with a given hash, or None if the node does not have it.
        queue: The queue to push to.
        topic: The topic to publish on.
        window: How many of the newest blocks are kept, to recognise duplicates and forks.
        max_fetch: The most missing blocks that are fetched for one head.
        chain: Blocks to continue from, oldest first, such as the `chain` of an earlier watcher. Without any, the chain
            begins with the first head. Ancestors of the first head let the watcher survive its replacement.
        journal: Pushes each block in place of the broker, to the journal's queue. The watcher then continues from the
            journal's chain, and `chain` is ignored.

    Raises:
        TypeError, ValueError: `window` or `max_fetch` is not a whole number of at least 1, or a block of `chain` is
            not the child of the block before it.
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
        self._head: str | None = None  # the hash of the head that is being followed
        self._unfinished: BlockMessage | None = None  # the block that is being pushed and published
        self._reorganising = False  # whether the last block was removed

    @property
    def chain(self) -> tuple[BlockMessage, ...]:
        """The newest blocks of the chain, oldest first, at most `window` of them."""
        return tuple(self._chain.values())

    @property
    def stats(self) -> WatcherStats:
        """A copy of the counts."""
        return replace(self._stats)

    def see(self, head: Mapping[str, Any]) -> None:
        """Follow the chain to a head: push and publish every block that joins or leaves the chain.

        After an error, call it again with the same head to resume. Calling it with a later head is fine too: the blocks
        that are missing are then fetched as a gap.

        Args:
            head: A JSON-RPC head as the node announced it. If it has no `transactions`, as from Geth, the whole block
                is fetched.

        Raises:
            ValueError: The head or a fetched block is malformed; the text names the field.
            BlockUnavailable: The node does not have a block that is needed.
            InvalidBlock: A block's number does not follow its parent's.
            GapTooLong: More than `max_fetch` blocks would have to be fetched.
            ReorgTooDeep: The head's branch leaves the chain below the oldest block that is kept.
            BrokerError: A push or publish failed, with QueueFull for example.
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
        """Return the blocks to remove, newest first, and the blocks to add, oldest first, to make `head` the newest."""
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
        """Push and publish the unfinished block, if there is one. A push that is known to be done is not repeated."""
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
        """Add the block to the chain or remove it, and count it."""
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
