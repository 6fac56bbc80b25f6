"""Every message of a careless run is accounted for, also under hostile thread switching; and the books are honest."""

import pytest

from lightbroker.core.memory.queue import MemoryQueue
from tests.adversary.models.total_queue import run, run_over, run_through_a_loop
from tests.adversary.models.total_queue_account import SEQUENCE_BITS, Books, Outcome, Record
from tests.adversary.models.total_queue_bugs import COMPLAINTS, broker_with
from tests.contract.stores import STORES
from tests.support import Unavailable, miss


def test_every_message_is_accounted_for() -> None:
    report = run(150_000, epoch=75_000)
    assert report["violations"] == {}, report["told"]
    for outcome in ("ACKED", "NACKED", "RELEASED", "REJECTED", "CRASHED", "HUNG"):
        assert report["outcomes"][outcome] > 0
    assert report["redriven"] > 0
    assert report["purged"] > 0


def test_every_message_is_accounted_for_when_threads_switch_every_microsecond() -> None:
    report = run(40_000, epoch=20_000, switch_interval=1e-6, seed=2)
    assert report["violations"] == {}, report["told"]


@pytest.mark.parametrize("store", [name for name, store in STORES.items() if store.durable])
def test_every_message_is_accounted_for_in_every_store(store: str) -> None:
    try:
        report = run_over(store, 6_000, epoch=3_000, producers=4, consumers=20, lease=2.0, hang=0.001, seed=4)
    except Unavailable as error:
        miss(error)
    assert report["violations"] == {}, report["told"]
    for outcome in ("ACKED", "NACKED", "RELEASED", "REJECTED", "HUNG"):
        assert report["outcomes"][outcome] > 0


def test_every_message_is_accounted_for_through_an_event_loop() -> None:
    report = run_through_a_loop(6_000, epoch=3_000, producers=4, consumers=40, lease=1.0, hang=0.001, seed=5)
    assert report["violations"] == {}, report["told"]
    for outcome in ("ACKED", "NACKED", "RELEASED", "REJECTED", "HUNG"):
        assert report["outcomes"][outcome] > 0


@pytest.mark.parametrize(("bug", "complaint"), COMPLAINTS.items())
def test_the_checker_notices_a_broken_queue(bug: type[MemoryQueue], complaint: str) -> None:
    hang = 0.002 if complaint == "late ack" else 0.0
    report = run(10_000, producers=4, consumers=20, hang=hang, seed=3, open_broker=lambda: broker_with(bug))
    assert report["violations"].get(complaint), report["told"]


def _complaints(records: list[Record], pushed: int = 3, dead: tuple[int, ...] = ()) -> set[str]:
    books = Books(max_attempts=3)
    books.account(range(pushed), records, dead)
    return set(books.violations)


def _acked(number: int, tick: int, attempts: int = 1, outcome: Outcome = Outcome.ACKED) -> Record:
    return Record(number, attempts, 10 * tick, 10 * tick + 1, outcome)


def test_books_in_order_raise_no_complaint() -> None:
    assert _complaints([_acked(0, 0), _acked(1, 1), _acked(2, 2)]) == set()


def test_a_message_that_was_never_seen_is_lost() -> None:
    assert "lost" in _complaints([_acked(0, 0), _acked(2, 2)])


def test_a_message_that_was_acked_twice_is_a_duplicate() -> None:
    assert "duplicate" in _complaints([_acked(0, 0), _acked(1, 1), _acked(2, 2), _acked(2, 3, 2)])


def test_a_message_that_was_acked_and_buried_is_a_duplicate() -> None:
    assert "duplicate" in _complaints([_acked(0, 0), _acked(1, 1), _acked(2, 2)], dead=(1,))


def test_a_message_that_nobody_pushed_is_unexpected() -> None:
    assert _complaints([_acked(0, 0), _acked(1, 1), _acked(2, 2)], pushed=2) == {"unexpected"}


def test_a_first_delivery_out_of_order_is_noticed_across_consumers() -> None:
    assert _complaints([_acked(1, 0), _acked(0, 1), _acked(2, 2)]) == {"order"}


def test_deliveries_that_overlap_have_no_order() -> None:
    overlapping = [Record(1, 1, 0, 3, Outcome.ACKED), Record(0, 1, 1, 4, Outcome.ACKED)]
    assert _complaints(overlapping, pushed=2) == set()


def test_producers_have_no_order_among_each_other() -> None:
    books = Books(max_attempts=3)
    other = 1 << SEQUENCE_BITS
    books.account([0, other], [_acked(other, 0), _acked(0, 1)], ())
    assert not books.violations


@pytest.mark.parametrize("reason", [Outcome.NACKED, Outcome.CRASHED, Outcome.HUNG, Outcome.LOST])
def test_a_failed_delivery_explains_one_more_with_the_next_attempt(reason: Outcome) -> None:
    assert _complaints([_acked(0, 0, 1, reason), _acked(0, 1, 2)], pushed=1) == set()
    assert _complaints([_acked(0, 0, 1, reason), _acked(0, 1, 1)], pushed=1) == {"attempts"}


def test_a_release_explains_one_more_with_the_same_attempt() -> None:
    assert _complaints([_acked(0, 0, 1, Outcome.RELEASED), _acked(0, 1, 1)], pushed=1) == set()
    assert _complaints([_acked(0, 0, 1, Outcome.RELEASED), _acked(0, 1, 2)], pushed=1) == {"attempts"}


def test_a_rejection_explains_a_redriven_delivery_or_a_dead_letter() -> None:
    rejected = _acked(0, 0, 1, Outcome.REJECTED)
    assert _complaints([rejected, _acked(0, 1, 1)], pushed=1) == set()
    assert _complaints([rejected], pushed=1, dead=(0,)) == set()
    assert _complaints([rejected], pushed=1) >= {"lost"}


def test_more_deliveries_than_attempts_are_noticed() -> None:
    failures = [_acked(0, attempt, attempt, Outcome.NACKED) for attempt in (1, 2, 3)]
    assert _complaints(failures, pushed=1, dead=(0,)) == set()
    assert _complaints([*failures, _acked(0, 4, 4)], pushed=1) == {"attempts"}
