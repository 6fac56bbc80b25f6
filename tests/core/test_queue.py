"""The verbs refuse what makes no sense: by name, and before anything changes."""

import queue as standard
from collections.abc import Callable
from typing import Any

import pytest

from lightbroker import Broker, Delivery, LeaseLost, Queue, QueueEmpty, QueueFull

HUGE = 10**400
NUMBER = [
    *[(value, ValueError) for value in (-1, -1e-9, float("nan"), float("inf"), HUGE)],
    *[(value, TypeError) for value in ("1", b"1", True, [])],
]
COUNT = [(0, ValueError), (-1, ValueError), (1.0, TypeError), ("1", TypeError), (True, TypeError)]

# Verb, arguments in place, the argument that is wrong, and what may not stand there.
BAD: list[tuple[str, tuple[Any, ...], str, list[tuple[Any, type[Exception]]]]] = [
    ("push", ("b",), "timeout", NUMBER),
    ("push", ("b",), "delay", [*NUMBER, (None, TypeError)]),
    ("push", ("b",), "ttl", [*NUMBER, (0, ValueError)]),
    ("push", ("b",), "headers", [({"a": 1}, TypeError), (["a"], TypeError), ({"a": "x" * 9000}, ValueError)]),
    (
        "push",
        (),
        "body",
        [({1}, TypeError), (bytearray(), TypeError), (float("nan"), ValueError), ("\ud800", ValueError)],
    ),
    ("push_many", (["b"],), "timeout", NUMBER),
    ("push_many", (["b"],), "delay", [*NUMBER, (None, TypeError)]),
    ("push_many", (["b"],), "ttl", [*NUMBER, (0, ValueError)]),
    ("push_many", (["b"],), "headers", [({"a": 1}, TypeError), (["a"], TypeError)]),
    (
        "push_many",
        (),
        "bodies",
        [("text", TypeError), ({"number": 1}, TypeError), (b"bytes", TypeError), (None, TypeError), (3, TypeError)],
    ),
    ("pull", (), "timeout", NUMBER),
    ("pull_many", (), "n", [*COUNT, (None, TypeError)]),
    ("pull_many", (1,), "timeout", NUMBER),
    ("ack_many", (), "deliveries", [(None, TypeError), (["receipt"], TypeError), ([[]], TypeError)]),
    ("dead_letters.redrive", (), "ids", [("id", TypeError), (b"id", TypeError), (3, TypeError), ([[]], TypeError)]),
    ("dead_letters.redrive", (), "limit", COUNT),
    ("leased.nack", (), "delay", NUMBER),
    ("leased.nack", (), "error", [(3, TypeError), (["e"], TypeError), (ValueError, TypeError)]),
    ("leased.extend", (), "seconds", [*NUMBER, (0, ValueError), (None, TypeError)]),
]
CASES = [(verb, given, name, value, error) for verb, given, name, values in BAD for value, error in values]


class Busy:
    """A queue with a message in every state, behind the names that the table uses."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        queue.push_many(["dead", "leased", "ready"])
        queue.push("delayed", delay=60.0)
        queue.pull(timeout=0).reject("no")
        self.leased = queue.pull(timeout=0)

    def verb(self, path: str) -> Callable[..., object]:
        found: Any = self.leased if path.startswith("leased.") else self.queue
        for part in path.removeprefix("leased.").split("."):
            found = getattr(found, part)
        return found  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("verb", "given", "name", "value", "error"), CASES, ids=[f"{c[0]}-{c[2]}-{c[3]!r:.9}" for c in CASES]
)
def test_a_wrong_argument_is_named_and_changes_nothing(
    open_queue: Callable[..., Queue], verb: str, given: tuple[Any, ...], name: str, value: Any, error: type[Exception]
) -> None:
    busy = Busy(open_queue())
    before, deadline = busy.queue.stats(), busy.leased.deadline
    with pytest.raises(error, match=rf"\b{name}\b"):
        busy.verb(verb)(*given, **{name: value})
    assert (busy.queue.stats(), busy.leased.deadline) == (before, deadline)
    busy.leased.ack()


def test_the_message_of_a_wrong_number_holds_its_value(open_queue: Callable[..., Queue]) -> None:
    with pytest.raises(ValueError, match=r"delay.*-2\.5"):
        open_queue().push("b", delay=-2.5)


def test_one_bad_body_keeps_the_whole_batch_out(open_queue: Callable[..., Queue]) -> None:
    queue = open_queue()
    before = queue.stats()
    with pytest.raises(TypeError, match="body"):
        queue.push_many(["a", "b", {1}, "c"])
    assert queue.stats() == before


def test_a_batch_of_acks_with_something_else_in_it_acks_nothing(open_queue: Callable[..., Queue]) -> None:
    queue = open_queue()
    queue.push("a")
    delivery = queue.pull(timeout=0)
    with pytest.raises(TypeError, match="deliveries"):
        queue.ack_many([delivery, "receipt"])  # type: ignore[list-item]
    delivery.ack()


def test_an_iterator_of_bodies_that_fails_pushes_nothing(open_queue: Callable[..., Queue]) -> None:
    queue = open_queue()
    with pytest.raises(ZeroDivisionError):
        queue.push_many(1 / (2 - number) for number in range(4))
    assert queue.stats().accepted == 0


def test_unknown_arguments_are_refused(open_queue: Callable[..., Queue]) -> None:
    queue = open_queue()
    with pytest.raises(TypeError, match="priority"):
        queue.push("b", priority=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        queue.push("b", 5.0)  # type: ignore[misc]
    assert queue.stats().accepted == 0


@pytest.mark.parametrize("settle", [Delivery.ack, Delivery.nack, Delivery.release, lambda d: d.reject("no")])
def test_double_ack_is_told_and_does_no_harm(
    open_queue: Callable[..., Queue], settle: Callable[[Delivery], None]
) -> None:
    queue = open_queue()
    queue.push("a")
    delivery = queue.pull(timeout=0)
    delivery.ack()
    with pytest.raises(LeaseLost, match="'q'"):
        settle(delivery)
    assert queue.stats().acked == 1


def test_code_written_for_the_standard_queue_catches_full_and_empty(broker: Broker) -> None:
    queue = broker.queue("q", capacity=1)
    with pytest.raises(standard.Empty):
        queue.pull(timeout=0)
    queue.push("a")
    with pytest.raises(standard.Full):
        queue.push("b", timeout=0)
    assert isinstance(QueueFull("x"), standard.Full)
    assert isinstance(QueueEmpty("x"), standard.Empty)
