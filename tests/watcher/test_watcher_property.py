"""For any tree of blocks and any announcements, a consumer always holds one valid chain."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lightbroker.watcher import BlockMessage, ChainWatcher
from tests.watcher.failing import FailingBroker, see
from tests.watcher.toychain import Block, Ledger, ToyNode, block, drain

PARENTS = st.lists(st.integers(0, 10_000), min_size=1, max_size=30)
CALLS = st.sets(st.integers(1, 60), max_size=20)


@given(
    parents=PARENTS, announced=st.lists(st.integers(0, 10_000), max_size=25), before=CALLS, after=CALLS, publishes=CALLS
)
def test_a_consumer_always_holds_a_valid_chain_that_ends_at_the_last_new_head(
    parents: list[int], announced: list[int], before: set[int], after: set[int], publishes: set[int]
) -> None:
    tree: list[Block] = [block(None)]
    for index, choice in enumerate(parents):
        # The remainder of the newest few makes long branches as likely as bushy trees.
        recent = tree[-1 - choice % min(len(tree), 1 + choice % 7)]
        tree.append(block(recent, str(index)))
    broker = FailingBroker(before, after, publishes)
    root = BlockMessage.from_header(tree[0])
    watcher = ChainWatcher(broker, ToyNode(tree).fetch, chain=[root])
    ledger = Ledger(repeats=True)
    ledger.chain = [root.hash]
    for choice in announced:
        head = tree[choice % len(tree)]
        known = head["hash"] in ledger.chain
        before_it = list(ledger.chain)
        see(watcher, head)
        for body in drain(broker):
            ledger.apply(body)
        assert ledger.chain == (before_it if known else [*path(tree, head)])
        assert [message.hash for message in watcher.chain] == ledger.chain
    stats = watcher.stats
    assert stats.heads == len(announced)
    assert stats.added - stats.removed == len(ledger.chain) - 1
    assert stats.added == stats.heads - stats.duplicates + stats.filled
    broker.close(drain=False)


def path(tree: list[Block], head: Block) -> list[str]:
    """Return the hashes from the root of `tree` to `head`."""
    by_hash = {block["hash"]: block for block in tree}
    hashes = [head["hash"]]
    while (parent := by_hash[hashes[-1]]["parentHash"]) in by_hash:
        hashes.append(parent)
    return hashes[::-1]
