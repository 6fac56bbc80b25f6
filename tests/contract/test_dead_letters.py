"""The dead letters: bounded, listed from the oldest, redriven or purged."""

from collections.abc import Callable

import pytest

from lightbroker import Broker, ManualClock, Overflow, Queue, Retry
from tests.support import Call, counts, drain

Open = Callable[..., Queue]


def bury(queue: Queue, *bodies: str) -> list[str]:
    """Push and reject messages, one after the other; return their ids."""
    ids = []
    for body in bodies:
        ids.append(queue.push(body))
        queue.pull(timeout=0).reject("no")
    return ids


def dead(queue: Queue) -> list[str]:
    return [letter.message.text for letter in queue.dead_letters]


def test_dead_letters_are_counted_and_listed_from_the_oldest(open_queue: Open, broker: Broker) -> None:
    queue = open_queue()
    assert (len(broker.dlq("q")), list(broker.dlq("q"))) == (0, [])
    ids = bury(queue, "a", "b", "c")
    assert len(broker.dlq("q")) == 3
    assert [letter.message.id for letter in broker.dlq("q")] == ids


def test_the_list_stands_still_while_it_is_worked_off(open_queue: Open) -> None:
    queue = open_queue()
    bury(queue, "a", "b", "c")
    assert sum(queue.dead_letters.redrive([letter.message.id]) for letter in queue.dead_letters) == 3


def test_the_oldest_dead_letters_are_dropped_beyond_the_bound(open_queue: Open) -> None:
    queue = open_queue(dead_capacity=2)
    bury(queue, "a", "b", "c", "d")
    assert dead(queue) == ["c", "d"]
    assert counts(queue) == {"dead": 2, "dropped": 2, "accepted": 4}


def test_the_bound_holds_for_overflow_too(open_queue: Open) -> None:
    queue = open_queue(capacity=1, overflow=Overflow.DEAD_LETTER, dead_capacity=2)
    queue.push_many(list("abcde"))
    assert dead(queue) == ["d", "e"]
    assert counts(queue) == {"ready": 1, "dead": 2, "dropped": 2, "accepted": 5}


def test_without_a_bound_every_dead_letter_is_kept(open_queue: Open) -> None:
    queue = open_queue(dead_capacity=None)
    queue.push_many([b""] * 30)
    for delivery in queue.pull_many(30, 0):
        delivery.reject("no")
    assert len(queue.dead_letters) == 30


def test_dead_letters_take_no_room_in_the_queue(open_queue: Open) -> None:
    queue = open_queue(capacity=1, overflow=Overflow.REJECT)
    bury(queue, "a", "b", "c")
    assert counts(queue) == {"dead": 3, "accepted": 3}


def test_redrive_delivers_again_at_the_back_as_if_new(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(retry=Retry(max_attempts=2, base=0.0), lease=30.0)
    id = queue.push("failed", headers={"h": "1"})
    for _ in range(2):
        queue.pull(timeout=0).nack("no")
    queue.push("waiting")
    clock.advance(5.0)
    assert queue.dead_letters.redrive() == 1
    assert counts(queue) == {"ready": 2, "accepted": 2, "retried": 1, "redriven": 1}
    assert queue.pull(timeout=0).message.text == "waiting"
    again = queue.pull(timeout=0)
    assert (again.message.id, again.message.text, dict(again.message.headers)) == (id, "failed", {"h": "1"})
    assert (again.message.attempts, again.message.timestamp) == (1, 1000.0)
    again.nack("still no")
    assert queue.pull(timeout=0).message.attempts == 2


def test_a_redriven_message_that_dies_again_tells_of_its_new_failure_only(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(retry=Retry(max_attempts=1))
    queue.push(b"")
    queue.pull(timeout=0).nack("first")
    clock.advance(5.0)
    queue.dead_letters.redrive()
    queue.pull(timeout=0).nack("second")
    [letter] = queue.dead_letters
    assert (letter.error, letter.first_failed_at, letter.message.attempts) == ("second", 1005.0, 1)


def test_a_redriven_message_has_no_ttl(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(ttl=10.0)
    bury(queue, "a")
    clock.advance(20.0)
    assert queue.dead_letters.redrive() == 1
    clock.advance(20.0)
    assert drain(queue) == ["a"]


def test_redrive_keeps_the_order_of_dying(open_queue: Open) -> None:
    queue = open_queue()
    bury(queue, "a", "b", "c")
    queue.dead_letters.redrive()
    assert drain(queue) == ["a", "b", "c"]


def test_redrive_moves_the_ids_it_is_given_and_passes_over_unknown_ones(open_queue: Open) -> None:
    queue = open_queue()
    a, _, c = bury(queue, "a", "b", "c")
    assert queue.dead_letters.redrive([c, "no such id", a, c]) == 2
    assert dead(queue) == ["b"]
    assert sorted(drain(queue)) == ["a", "c"]
    assert queue.dead_letters.redrive(iter([])) == 0
    assert queue.dead_letters.redrive([a]) == 0


def test_redrive_moves_no_more_than_the_limit(open_queue: Open) -> None:
    queue = open_queue()
    ids = bury(queue, "a", "b", "c", "d")
    assert queue.dead_letters.redrive(limit=2) == 2
    assert dead(queue) == ["c", "d"]
    assert queue.dead_letters.redrive(ids, limit=1) == 1
    assert queue.dead_letters.redrive(limit=2**63) == 1
    assert drain(queue) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("policy", Overflow)
def test_redrive_stops_when_the_queue_is_full(open_queue: Open, policy: Overflow) -> None:
    queue = open_queue(capacity=3, overflow=policy)
    bury(queue, "a", "b", "c")
    queue.push("waiting")
    assert queue.dead_letters.redrive() == 2
    assert queue.dead_letters.redrive() == 0
    assert counts(queue) == {"ready": 3, "dead": 1, "accepted": 4, "redriven": 2}
    assert dead(queue) == ["c"]
    assert drain(queue) == ["waiting", "a", "b"]


def test_redrive_wakes_a_waiting_pull(open_queue: Open) -> None:
    queue = open_queue()
    [id] = bury(queue, "a")
    pull = Call(queue.pull, None)
    assert pull.blocks()
    queue.dead_letters.redrive()
    assert pull.result().message.id == id


def test_what_overflowed_can_be_redriven(open_queue: Open) -> None:
    queue = open_queue(capacity=1, overflow=Overflow.DEAD_LETTER)
    queue.push_many(["a", "b"])
    assert drain(queue) == ["a"]
    queue.dead_letters.redrive()
    delivery = queue.pull(timeout=0)
    assert (delivery.message.text, delivery.message.attempts) == ("b", 1)


def test_purge_deletes_and_counts(open_queue: Open) -> None:
    queue = open_queue()
    bury(queue, "a", "b")
    assert queue.dead_letters.purge() == 2
    assert counts(queue) == {"purged": 2, "accepted": 2}
    assert (dead(queue), queue.dead_letters.purge()) == ([], 0)


def test_the_dead_letters_of_one_queue_are_not_those_of_another(broker: Broker) -> None:
    bury(broker.queue("a"), "x")
    bury(broker.queue("b"), "y", "z")
    assert broker.dlq("a").purge() == 1
    assert broker.dlq("b").redrive() == 2
    assert counts(broker.queue("a")) == {"purged": 1, "accepted": 1}
