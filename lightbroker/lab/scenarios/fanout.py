"""One topic with many subscribers, and the loop over queues that a program without topics would write."""

import queue
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from lightbroker import Broker, Subscription


class FanOut(NamedTuple):
    """A topic and its subscribers.

    Attributes:
        publish: Sends a copy of a body to every subscriber and returns the number of copies.
        takes: Functions, one for each subscriber, that return the next body it got.
        check: Raises an error if the broker's own counts contradict each other.
    """

    publish: Callable[[bytes], int]
    takes: list[Callable[[], bytes]]
    check: Callable[[], None]


def light_broker(subscribers: int, capacity: int) -> FanOut:
    """Make a topic of LightBroker, with a wildcard subscription for each subscriber."""
    broker = Broker()
    subscriptions = [broker.subscribe("t.*", capacity=capacity) for _ in range(subscribers)]

    def take(subscription: Subscription) -> bytes:
        return subscription.get(timeout=0).body

    return FanOut(partial(broker.publish, "t.x"), [partial(take, each) for each in subscriptions], broker.check)


def queue_queue(subscribers: int, capacity: int) -> FanOut:
    """Make a loop over bounded `queue.Queue`s."""
    queues: list[queue.Queue[bytes]] = [queue.Queue(capacity) for _ in range(subscribers)]
    return _by_hand([each.put for each in queues], [each.get_nowait for each in queues])


def simple_queue(subscribers: int, capacity: int) -> FanOut:
    """Make a loop over `queue.SimpleQueue`s, which have no bound, so that `capacity` is ignored."""
    queues: list[queue.SimpleQueue[bytes]] = [queue.SimpleQueue() for _ in range(subscribers)]
    return _by_hand([each.put for each in queues], [each.get_nowait for each in queues])


def _by_hand(puts: list[Callable[[bytes], None]], takes: list[Callable[[], bytes]]) -> FanOut:
    def publish(body: bytes) -> int:
        for put in puts:
            put(body)
        return len(puts)

    return FanOut(publish, takes, lambda: None)
