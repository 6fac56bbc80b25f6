"""Whatever a push or publish raises, the next call goes on exactly where the last one stopped."""

from __future__ import annotations

import pytest

from lightbroker import Broker, Overflow, QueueFull
from lightbroker.watcher import ChainWatcher, WatcherStats
from tests.watcher.failing import FailingBroker, see
from tests.watcher.toychain import Block, Ledger, ToyNode, added, branch, drain, removed, steps

CHAIN = branch(None, 6)
OTHER = branch(CHAIN[2], 4, "b")
EXPECTED = added(CHAIN) + removed(CHAIN[3:]) + added(OTHER)
STATS = WatcherStats(heads=7, filled=3, reorganisations=1, removed=3, added=10)


@pytest.mark.parametrize("failing", range(1, len(EXPECTED) + 1))
def test_a_push_that_fails_is_made_again_and_nothing_else_is(failing: int) -> None:
    broker = FailingBroker(before=[failing])
    watcher = ChainWatcher(broker, ToyNode(CHAIN, OTHER).fetch)
    assert sum(see(watcher, head) for head in (*CHAIN, OTHER[-1])) == 1
    assert steps(drain(broker)) == EXPECTED
    assert watcher.stats == STATS


def test_every_push_may_fail_several_times() -> None:
    broker = FailingBroker(before=[number for number in range(1, 100) if number % 4])
    watcher = ChainWatcher(broker, ToyNode(CHAIN, OTHER).fetch)
    assert sum(see(watcher, head) for head in (*CHAIN, OTHER[-1])) == 3 * len(EXPECTED)
    assert steps(drain(broker)) == EXPECTED
    assert watcher.stats == STATS


@pytest.mark.parametrize("failing", range(1, len(EXPECTED) + 1))
def test_a_push_that_succeeds_and_is_then_interrupted_is_repeated_never_lost(failing: int) -> None:
    broker = FailingBroker(after=[failing])
    watcher = ChainWatcher(broker, ToyNode(CHAIN, OTHER).fetch)
    for head in (*CHAIN, OTHER[-1]):
        see(watcher, head)
    expected = EXPECTED[:failing] + EXPECTED[failing - 1 :]
    assert steps(drain(broker)) == expected
    assert watcher.stats == STATS


@pytest.mark.parametrize("failing", range(1, len(EXPECTED) + 1))
def test_a_publish_that_fails_is_made_again_without_a_second_push(failing: int) -> None:
    broker = FailingBroker(publishes=[failing])
    with broker.subscribe("chain.heads") as subscription:
        watcher = ChainWatcher(broker, ToyNode(CHAIN, OTHER).fetch)
        for head in (*CHAIN, OTHER[-1]):
            see(watcher, head)
        assert steps(drain(broker)) == EXPECTED
        assert steps([subscription.get(timeout=0).json() for _ in EXPECTED]) == EXPECTED
    assert watcher.stats == STATS


@pytest.mark.parametrize("failing", range(7, len(EXPECTED) + 1))
def test_after_an_interrupted_reorganisation_another_head_still_gets_a_valid_chain(failing: int) -> None:
    third = branch(CHAIN[1], 6, "c")
    broker = FailingBroker(after=[failing])
    watcher = ChainWatcher(broker, ToyNode(CHAIN, OTHER, third).fetch)
    for head in CHAIN:
        watcher.see(head)
    with pytest.raises(KeyboardInterrupt):
        watcher.see(OTHER[-1])
    watcher.see(third[-1])
    ledger = Ledger(repeats=True)
    for body in drain(broker):
        ledger.apply(body)
    assert ledger.chain == [head["hash"] for head in (*CHAIN[:2], *third)]


def test_a_full_queue_stops_the_watcher_until_there_is_room() -> None:
    with_room_for_two = Broker()
    with_room_for_two.queue("blocks", capacity=2, overflow=Overflow.REJECT)
    watcher = ChainWatcher(with_room_for_two, ToyNode(CHAIN, OTHER).fetch)
    bodies: list[Block] = []
    watcher.see(CHAIN[0])
    for head in (CHAIN[5], OTHER[3]):
        while True:
            try:
                watcher.see(head)
                break
            except QueueFull:
                bodies += drain(with_room_for_two)
    bodies += drain(with_room_for_two)
    assert steps(bodies) == EXPECTED
    assert watcher.stats == WatcherStats(heads=3, filled=7, reorganisations=1, removed=3, added=10)
