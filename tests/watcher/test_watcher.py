"""What a watcher makes of the heads it sees."""

from collections.abc import Iterator
from typing import Any

import pytest

from lightbroker import Broker
from lightbroker.watcher import (
    BlockMessage,
    BlockUnavailable,
    ChainWatcher,
    GapTooLong,
    InvalidBlock,
    ReorgTooDeep,
    WatcherStats,
)
from tests.watcher.toychain import Block, ToyNode, added, block, branch, drain, removed, steps


@pytest.fixture
def broker() -> Iterator[Broker]:
    """Yield a broker and close it."""
    broker = Broker()
    yield broker
    broker.close(drain=False)


def watcher(broker: Broker, node: ToyNode, seen: list[Block], **options: Any) -> ChainWatcher:
    """Return a watcher that has seen `seen`, the queue emptied."""
    watcher = ChainWatcher(broker, node.fetch, **options)
    for head in seen:
        watcher.see(head)
    drain(broker)
    return watcher


def test_heads_in_order_are_added_without_a_fetch(broker: Broker) -> None:
    chain, node = branch(None, 5), ToyNode()
    watching = ChainWatcher(broker, node.fetch)
    for head in chain:
        watching.see(head)
    assert steps(drain(broker)) == added(chain)
    assert node.fetched == []
    assert watching.stats == WatcherStats(heads=5, added=5)
    assert [message.hash for message in watching.chain] == [head["hash"] for head in chain]


def test_each_block_is_pushed_and_published(broker: Broker) -> None:
    with broker.subscribe("chain.*") as subscription:
        ChainWatcher(broker, ToyNode().fetch).see(block(None))
        body = BlockMessage.from_header(block(None)).to_dict()
        assert subscription.get(timeout=0).json() == body
        assert drain(broker) == [body]


def test_queue_and_topic_can_be_named(broker: Broker) -> None:
    with broker.subscribe("net.one") as subscription:
        ChainWatcher(broker, ToyNode().fetch, queue="one", topic="net.one").see(block(None))
        assert len(drain(broker, "one")) == 1
        assert subscription.get(timeout=0).json()["number"] == 100


def test_a_repeated_head_is_dropped(broker: Broker) -> None:
    chain = branch(None, 5)
    watching = watcher(broker, ToyNode(chain), chain)
    for head in (chain[-1], chain[-1], chain[1]):
        watching.see(head)
    assert drain(broker) == []
    assert watching.stats == WatcherStats(heads=8, duplicates=3, added=5)


@pytest.mark.parametrize("missing", [1, 2, 7])
def test_a_gap_is_filled_oldest_first(broker: Broker, missing: int) -> None:
    chain = branch(None, missing + 2)
    node = ToyNode(chain)
    watching = watcher(broker, node, chain[:1])
    watching.see(chain[-1])
    assert steps(drain(broker)) == added(chain[1:])
    assert len(node.fetched) == missing
    assert watching.stats == WatcherStats(heads=2, filled=missing, added=missing + 2)


@pytest.mark.parametrize("depth", [1, 2, 3, 8])
def test_a_branch_replaces_the_newest_blocks(broker: Broker, depth: int) -> None:
    chain = branch(None, 10)
    other = branch(chain[-1 - depth], depth + 1, "b")
    watching = watcher(broker, ToyNode(chain, other), chain)
    watching.see(other[-1])
    assert steps(drain(broker)) == removed(chain[-depth:]) + added(other)
    assert watching.stats == WatcherStats(
        heads=11, filled=depth, reorganisations=1, removed=depth, added=10 + depth + 1
    )


def test_a_branch_that_is_announced_block_by_block_is_one_reorganisation(broker: Broker) -> None:
    chain = branch(None, 6)
    other = branch(chain[2], 3, "b")
    watching = watcher(broker, ToyNode(chain, other), chain)
    for head in other:
        watching.see(head)
    assert steps(drain(broker)) == removed(chain[3:]) + added(other)
    assert watching.stats == WatcherStats(heads=9, reorganisations=1, removed=3, added=9)


def test_a_second_head_of_the_same_height_replaces_the_first(broker: Broker) -> None:
    chain = branch(None, 3)
    sibling = block(chain[1], "b")
    watching = watcher(broker, ToyNode(chain), chain)
    watching.see(sibling)
    assert steps(drain(broker)) == removed(chain[2:]) + added([sibling])


def test_a_removed_branch_is_news_when_the_chain_returns_to_it(broker: Broker) -> None:
    chain = branch(None, 4)
    other = branch(chain[1], 3, "b")
    watching = watcher(broker, ToyNode(chain, other), chain)
    for _ in range(2):
        watching.see(other[-1])
        assert steps(drain(broker)) == removed(chain[2:]) + added(other)
        watching.see(chain[-1])
        assert steps(drain(broker)) == removed(other) + added(chain[2:])
    assert (watching.stats.reorganisations, watching.stats.duplicates) == (4, 0)


def test_a_removed_message_is_the_added_one_but_for_its_kind(broker: Broker) -> None:
    chain = branch(None, 2)
    watching = watcher(broker, ToyNode(chain), chain)
    watching.see(block(chain[0], "b"))
    assert drain(broker)[0] == {**BlockMessage.from_header(chain[1]).to_dict(), "kind": "removed"}


def test_a_head_without_transactions_is_completed_by_a_fetch(broker: Broker) -> None:
    head = block(None)
    watching = ChainWatcher(broker, ToyNode([head]).fetch)
    watching.see({name: value for name, value in head.items() if name != "transactions"})
    assert drain(broker)[0]["transactions"] == 1
    assert watching.stats == WatcherStats(heads=1, added=1)


def test_the_fetch_is_bounded_at_its_limit_exactly(broker: Broker) -> None:
    chain = branch(None, 7)
    node = ToyNode(chain)
    watching = watcher(broker, node, chain[:1], max_fetch=4)
    with pytest.raises(
        GapTooLong, match=r"head 106 0x\w+ is more than max_fetch=4 blocks away from the chain at block 100"
    ):
        watching.see(chain[6])
    assert len(node.fetched) == 4
    assert drain(broker) == []
    watching.see(chain[5])
    assert steps(drain(broker)) == added(chain[1:6])


def test_a_fork_below_the_window_is_an_error_that_changes_nothing(broker: Broker) -> None:
    chain = branch(None, 10)
    deep, just_within = branch(chain[5], 5, "b"), branch(chain[6], 4, "b")
    node = ToyNode(chain, deep, just_within)
    watching = watcher(broker, node, chain, window=4)
    with pytest.raises(ReorgTooDeep, match="at or above block 106, the oldest of 4 kept"):
        watching.see(deep[-1])
    assert drain(broker) == []
    watching.see(just_within[-1])
    assert steps(drain(broker)) == removed(chain[7:]) + added(just_within)


def test_the_window_bounds_what_is_kept(broker: Broker) -> None:
    chain = branch(None, 50)
    watching = watcher(broker, ToyNode(), chain, window=8)
    assert [message.hash for message in watching.chain] == [head["hash"] for head in chain[-8:]]


def test_a_block_that_the_node_lacks_is_an_error_and_the_next_head_makes_up_for_it(broker: Broker) -> None:
    chain = branch(None, 5)
    node = ToyNode()
    watching = watcher(broker, node, chain[:1])
    with pytest.raises(BlockUnavailable, match=chain[2]["hash"]):
        watching.see(chain[3])
    node.blocks = ToyNode(chain).blocks
    watching.see(chain[4])
    assert steps(drain(broker)) == added(chain[1:])


def test_a_node_that_answers_with_another_block_is_caught(broker: Broker) -> None:
    chain = branch(None, 3)
    watching = ChainWatcher(broker, lambda digest: chain[0], chain=[BlockMessage.from_header(chain[0])])
    with pytest.raises(BlockUnavailable, match="the node answered with"):
        watching.see(chain[2])


def test_numbers_must_follow_the_parents(broker: Broker) -> None:
    first = block(None)
    watching = watcher(broker, ToyNode(), [first])
    with pytest.raises(InvalidBlock, match="has number 105, its parent 0x"):
        watching.see(block(first, number=105))
    assert drain(broker) == []


@pytest.mark.parametrize("head", [None, 7, {}, {"hash": "0x1"}, {**block(None), "number": "x"}])
def test_a_malformed_head_is_refused_and_changes_nothing(broker: Broker, head: Any) -> None:
    watching = ChainWatcher(broker, ToyNode().fetch)
    with pytest.raises(ValueError, match="must be"):
        watching.see(head)
    assert watching.stats == WatcherStats()
    assert watching.chain == ()


def test_a_new_watcher_goes_on_from_the_chain_of_the_last(broker: Broker) -> None:
    chain = branch(None, 8)
    other = branch(chain[3], 4, "b")
    first = watcher(broker, ToyNode(), chain[:6])
    second = ChainWatcher(broker, ToyNode(chain, other).fetch, chain=first.chain)
    second.see(chain[7])
    second.see(other[-1])
    assert steps(drain(broker)) == added(chain[6:]) + removed(chain[4:]) + added(other)


def test_a_starting_chain_longer_than_the_window_is_cut_with_the_next_block(broker: Broker) -> None:
    chain = branch(None, 8)
    first = watcher(broker, ToyNode(), chain[:7])
    second = ChainWatcher(broker, ToyNode().fetch, chain=first.chain, window=3)
    second.see(chain[7])
    assert [message.hash for message in second.chain] == [head["hash"] for head in chain[5:]]


def test_a_starting_chain_must_be_linked(broker: Broker) -> None:
    messages = [BlockMessage.from_header(head) for head in branch(None, 3)]
    with pytest.raises(ValueError, match=r"chain: block 102 .* is not a child of the block before it"):
        ChainWatcher(broker, ToyNode().fetch, chain=[messages[0], messages[2]])


@pytest.mark.parametrize("option", ["window", "max_fetch"])
def test_limits_must_be_positive_whole_numbers(broker: Broker, option: str) -> None:
    limits: list[Any] = [0, -1]
    for value in limits:
        with pytest.raises(ValueError, match=f"{option} must be at least 1"):
            ChainWatcher(broker, ToyNode().fetch, **{option: value})
