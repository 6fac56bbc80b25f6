"""Many threads on one queue: nothing is lost, delivered twice or out of order."""

import random
from collections.abc import Callable
from contextlib import suppress

import pytest

from lightbroker import Broker, Delivery, LeaseLost, Queue, QueueClosed
from tests.support import Call, counts, wait_until

pytestmark = pytest.mark.usefixtures("switching")

Open = Callable[..., Queue]

PRODUCERS = CONSUMERS = 4
EACH = 150


def produce(queue: Queue, producer: int) -> None:
    for number in range(0, EACH, 3):
        queue.push(f"{producer} {number}")
        queue.push_many([f"{producer} {number + 1}", f"{producer} {number + 2}"])


def consume(queue: Queue, seen: list[tuple[int, int]]) -> None:
    with suppress(QueueClosed):
        while True:
            deliveries = queue.pull_many(3)
            for delivery in deliveries:
                producer, number = delivery.message.text.split()
                seen.append((int(producer), int(number)))
            queue.ack_many(deliveries)


def test_each_message_is_delivered_once_and_each_producer_in_order(open_queue: Open, broker: Broker) -> None:
    queue = open_queue(capacity=50)
    seen: list[list[tuple[int, int]]] = [[] for _ in range(CONSUMERS)]
    consumers = [Call(consume, queue, mine) for mine in seen]
    for producer in [Call(produce, queue, number) for number in range(PRODUCERS)]:
        producer.result()
    wait_until(lambda: queue.stats().held == 0)
    assert counts(queue) == {"acked": PRODUCERS * EACH, "accepted": PRODUCERS * EACH}
    broker.close()
    for consumer in consumers:
        consumer.result()
    assert sorted(item for mine in seen for item in mine) == [(p, n) for p in range(PRODUCERS) for n in range(EACH)]
    for mine in seen:
        for producer in range(PRODUCERS):
            numbers = [number for by, number in mine if by == producer]
            assert numbers == sorted(numbers)


def test_of_those_who_settle_the_same_delivery_one_wins(open_queue: Open) -> None:
    queue = open_queue(capacity=200)
    rng = random.Random(1)

    def settle(verb: str, deliveries: list[Delivery]) -> int:
        won = 0
        for delivery in deliveries:
            try:
                getattr(delivery, verb)()
                won += 1
            except LeaseLost:
                pass
        return won

    queue.push_many([b""] * 100)
    deliveries = queue.pull_many(100, 0)
    calls = [
        Call(settle, verb, rng.sample(deliveries, 100)) for verb in ("ack", "nack", "release", "ack", "nack", "release")
    ]
    assert sum(call.result() for call in calls) == 100
    now = queue.stats()
    assert (now.leased, now.ready + now.acked) == (0, 100)


def test_closing_in_the_midst_of_work_keeps_the_law(open_queue: Open) -> None:
    queue = open_queue(capacity=10)

    def push() -> int:
        pushed = 0
        try:
            while True:
                queue.push(b"")
                pushed += 1
        except QueueClosed:
            return pushed

    def pull() -> int:
        acked = 0
        try:
            while True:
                queue.pull().ack()
                acked += 1
        except QueueClosed:
            return acked

    pushes, pulls = [Call(push) for _ in range(2)], [Call(pull) for _ in range(2)]
    assert pulls[0].blocks()
    queue.stored.refuse()
    accepted = sum(call.result() for call in pushes)
    wait_until(lambda: queue.stats().held == 0)
    queue.stored.close()
    assert sum(call.result() for call in pulls) == accepted
    assert counts(queue) == {"acked": accepted, "accepted": accepted}
