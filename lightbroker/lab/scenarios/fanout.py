"""Publish to many: one topic with subscriptions, and the loop over queues that a program writes without one."""

import queue
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from lightbroker import Broker, Subscription


class FanOut(NamedTuple):
    """`publish` copies a body to everyone and returns the copies made; each of `takes` gets one subscriber's next."""

    publish: Callable[[bytes], int]
    takes: list[Callable[[], bytes]]
    check: Callable[[], None]


def light_broker(subscribers: int, capacity: int) -> FanOut:
    """A topic with a wildcard subscription each."""
    broker = Broker()
    subscriptions = [broker.subscribe("t.*", capacity=capacity) for _ in range(subscribers)]

    def take(subscription: Subscription) -> bytes:
        return subscription.get(timeout=0).body

    return FanOut(partial(broker.publish, "t.x"), [partial(take, each) for each in subscriptions], broker.check)


def queue_queue(subscribers: int, capacity: int) -> FanOut:
    """A loop over bounded `queue.Queue`s."""
    queues: list[queue.Queue[bytes]] = [queue.Queue(capacity) for _ in range(subscribers)]
    return _by_hand([each.put for each in queues], [each.get_nowait for each in queues])


def simple_queue(subscribers: int, capacity: int) -> FanOut:
    """A loop over `queue.SimpleQueue`s, which have no bound, so `capacity` does not matter."""
    queues: list[queue.SimpleQueue[bytes]] = [queue.SimpleQueue() for _ in range(subscribers)]
    return _by_hand([each.put for each in queues], [each.get_nowait for each in queues])


def _by_hand(puts: list[Callable[[bytes], None]], takes: list[Callable[[], bytes]]) -> FanOut:
    def publish(body: bytes) -> int:
        for put in puts:
            put(body)
        return len(puts)

    return FanOut(publish, takes, lambda: None)
