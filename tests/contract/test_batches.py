"""Many messages at once: the same promises, and exact words about what was taken of a batch that failed."""

from collections.abc import Callable

import pytest

from lightbroker import Broker, LeaseLost, ManualClock, Overflow, Queue, QueueFull
from tests.support import Call, counts, drain

Open = Callable[..., Queue]


@pytest.fixture(params=[0, 1000], ids=["untraced", "traced"])
def broker(request: pytest.FixtureRequest, make_broker: Callable[..., Broker]) -> Broker:
    return make_broker(trace=request.param)


def test_a_batch_is_pushed_pulled_and_acked_in_order(open_queue: Open) -> None:
    queue = open_queue()
    ids = queue.push_many(str(number) for number in range(250))
    assert len(set(ids)) == 250
    deliveries = queue.pull_many(250, 0)
    assert [delivery.message.id for delivery in deliveries] == ids
    assert [delivery.message.text for delivery in deliveries] == [str(number) for number in range(250)]
    assert {delivery.message.attempts for delivery in deliveries} == {1}
    queue.ack_many(deliveries)
    assert counts(queue) == {"acked": 250, "accepted": 250}


def test_a_batch_shares_its_headers_delay_and_ttl(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue()
    queue.push_many(["a", "b"], delay=5.0, ttl=10.0, headers={"h": "1"})
    assert counts(queue) == {"delayed": 2, "accepted": 2}
    clock.advance(5.0)
    assert dict(queue.pull(timeout=0).message.headers) == {"h": "1"}
    clock.advance(5.0)
    assert counts(queue) == {"leased": 1, "expired": 1, "accepted": 2}


def test_an_empty_batch_does_nothing(open_queue: Open) -> None:
    queue = open_queue()
    assert queue.push_many([]) == []
    queue.ack_many([])
    assert counts(queue) == {}


def test_pull_many_takes_what_there_is_up_to_its_limit(open_queue: Open) -> None:
    queue = open_queue()
    queue.push_many(["a", "b", "c"])
    assert [delivery.message.text for delivery in queue.pull_many(2, 0)] == ["a", "b"]
    assert [delivery.message.text for delivery in queue.pull_many(2**63, 0)] == ["c"]


def test_pull_many_waits_for_the_first_message_only(open_queue: Open) -> None:
    queue = open_queue()
    pull = Call(queue.pull_many, 10, None)
    assert pull.blocks()
    queue.push("a")
    assert [delivery.message.text for delivery in pull.result()] == ["a"]


def test_the_leases_of_a_batch_run_out_like_any_other(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(lease=30.0)
    queue.push_many(["a", "b", "c"])
    deliveries = queue.pull_many(3, 0)
    assert {delivery.deadline for delivery in deliveries} == {1030.0}
    clock.advance(30.0)
    assert counts(queue) == {"ready": 3, "accepted": 3, "retried": 3}


@pytest.mark.parametrize("policy", [Overflow.BLOCK, Overflow.REJECT])
@pytest.mark.parametrize("options", [{}, {"delay": 5.0}, {"ttl": 5.0}], ids=str)
def test_a_batch_that_does_not_fit_says_which_were_accepted(
    open_queue: Open, policy: Overflow, options: dict[str, float]
) -> None:
    queue = open_queue(capacity=3, overflow=policy)
    queue.push("before")
    with pytest.raises(QueueFull) as caught:
        queue.push_many(["a", "b", "c", "d"], timeout=0, **options)
    assert len(caught.value.accepted) == 2
    assert counts(queue) == {"delayed" if "delay" in options else "ready": 2, "accepted": 3, "refused": 1} | (
        {"ready": 1} if "delay" in options else {"ready": 3}
    )
    if "delay" not in options:
        queue.pull(timeout=0).ack()
        assert tuple(delivery.message.id for delivery in queue.pull_many(9, 0)) == caught.value.accepted


def test_a_batch_waits_for_room_and_then_goes_on(open_queue: Open) -> None:
    queue = open_queue(capacity=2)
    push = Call(queue.push_many, ["a", "b", "c"])
    assert push.blocks()
    assert queue.pull(timeout=0).ack() is None
    assert len(push.result()) == 3
    assert drain(queue) == ["b", "c"]


def test_a_batch_that_waited_in_vain_says_which_were_accepted(open_queue: Open) -> None:
    queue = open_queue(capacity=2)
    with pytest.raises(QueueFull) as caught:
        queue.push_many(["a", "b", "c"], timeout=0.01)
    assert [delivery.message.id for delivery in queue.pull_many(9, 0)] == list(caught.value.accepted)


@pytest.mark.parametrize(
    ("policy", "taken", "left", "numbers"),
    [
        (Overflow.DROP_NEWEST, [True, True, False, False], ["a", "b"], {"dropped": 2}),
        (Overflow.DROP_OLDEST, [True, True, True, True], ["c", "d"], {"dropped": 2}),
        (Overflow.DEAD_LETTER, [True, True, True, True], ["a", "b"], {"dead": 2}),
    ],
)
def test_the_overflow_policy_holds_for_each_message_of_a_batch(
    open_queue: Open, policy: Overflow, taken: list[bool], left: list[str], numbers: dict[str, int]
) -> None:
    queue = open_queue(capacity=2, overflow=policy)
    assert [id is not None for id in queue.push_many(["a", "b", "c", "d"])] == taken
    assert counts(queue) == {"ready": 2, "accepted": 4, **numbers}
    assert drain(queue) == left


def test_acks_that_are_in_time_count_even_if_others_are_late(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(lease=30.0)
    queue.push_many(["a", "b", "c", "d"])
    late = queue.pull_many(2, 0)
    clock.advance(20.0)
    timely = queue.pull_many(2, 0)
    clock.advance(10.0)
    with pytest.raises(LeaseLost, match="2 of 4"):
        queue.ack_many([late[0], timely[0], late[1], timely[1]])
    assert counts(queue) == {"ready": 2, "acked": 2, "accepted": 4, "retried": 2}


def test_a_delivery_that_is_twice_in_a_batch_is_acked_once(open_queue: Open) -> None:
    queue = open_queue(capacity=2)
    queue.push("a")
    delivery = queue.pull(timeout=0)
    with pytest.raises(LeaseLost, match="1 of 2"):
        queue.ack_many([delivery, delivery])
    assert counts(queue) == {"acked": 1, "accepted": 1}


def test_a_delivery_of_another_queue_is_not_acked(open_queue: Open, broker: Broker) -> None:
    queue, other = open_queue(), broker.queue("other")
    other.push(b"")
    delivery = other.pull(timeout=0)
    with pytest.raises(LeaseLost):
        queue.ack_many([delivery])
    assert counts(other) == {"leased": 1, "accepted": 1}
    delivery.ack()
