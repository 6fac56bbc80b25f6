"""What races are made of: a queue on a clock that a thread moves, and states for threads to meet in."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from lightbroker import Broker, BrokerError, Delivery, ManualClock, Message, Overflow, Queue, Retry
from lightbroker.core.memory.queue import MemoryQueue
from lightbroker.core.memory.store import MemoryStore

LONG = 1000.0  # seconds to wait; under the scheduler a time-out fires when it says so, and none by the real clock
LATER = 6.0  # seconds after which every lease and delay of a race is over


class _Store(MemoryStore):
    def __init__(self, queue: type[MemoryQueue]) -> None:
        self._queue = queue

    def queue(self, *arguments: Any) -> MemoryQueue:
        return self._queue(*arguments)


class Scene:
    """One queue on a clock that a thread moves, with what the threads share."""

    def __init__(self, queue: type[MemoryQueue], **options: Any) -> None:
        self.clock = ManualClock()
        self.broker = Broker(_Store(queue), clock=self.clock)
        self.queue: Queue = self.broker.queue("q", **{"capacity": 3, "lease": 1.0, "retry": Retry(base=0.0), **options})
        self.deliveries: list[Delivery] = []
        self.shared: list[Any] = []

    def settle_all(self) -> list[str]:
        """Bodies in the order in which they are delivered, once every lease and delay is over; the law holds."""
        self.broker.check()
        self.clock.advance(LATER)
        bodies = []
        with suppress(BrokerError):
            while True:
                delivery = self.queue.pull(0)
                bodies.append(delivery.message.text)
                delivery.ack()
        self.broker.check()
        stats = self.queue.stats()
        assert stats.held == 0, stats
        if stats.capacity is not None:  # no permit has leaked
            assert len(self.queue.push_many(["x"] * stats.capacity)) == stats.capacity
            assert self.queue.stats().refused + self.queue.stats().dropped == stats.refused + stats.dropped
        self.broker.check()
        return bodies


def trying(call: Callable[[Scene], object]) -> Callable[[Scene], object]:
    """The thread's work; what it returns becomes a short text, a broker's error its name."""

    def work(scene: Scene) -> object:
        try:
            value = call(scene)
        except BrokerError as error:
            return type(error).__name__
        if isinstance(value, (Delivery, Message)):
            return (value.message if isinstance(value, Delivery) else value).text
        return "ok" if value is None else value

    return work


def leasing(*bodies: str, pushed: dict[str, Any] | None = None, **options: Any) -> Callable[[type[Any]], Scene]:
    """Make a scene in which `bodies` are leased."""

    def setup(queue: type[Any]) -> Scene:
        scene = Scene(queue, **options)
        for body in bodies:
            scene.queue.push(body, **(pushed or {}))
        scene.deliveries = [scene.queue.pull(0) for _ in bodies]
        return scene

    return setup


def holding(*bodies: str, pushed: dict[str, Any] | None = None, **options: Any) -> Callable[[type[Any]], Scene]:
    """Make a scene in which `bodies` are ready."""

    def setup(queue: type[Any]) -> Scene:
        scene = Scene(queue, **options)
        for body in bodies:
            scene.queue.push(body, **(pushed or {}))
        return scene

    return setup


def holding_mortal_and_immortal(queue: type[Any]) -> Scene:
    scene = Scene(queue, lease=5.0)
    scene.queue.push("a", ttl=1.0)
    scene.queue.push("b")
    return scene


def burying(*bodies: str, **options: Any) -> Callable[[type[Any]], Scene]:
    """Make a scene in which `bodies` are dead."""

    def setup(queue: type[Any]) -> Scene:
        scene = leasing(*bodies, **options)(queue)
        for delivery in scene.deliveries:
            delivery.reject("dead")
        return scene

    return setup


def tick(scene: Scene) -> object:
    return scene.clock.advance(1.0)


def three_ticks(scene: Scene) -> None:
    for _ in range(3):
        scene.clock.advance(1.0)


def ack(scene: Scene) -> object:
    return scene.deliveries[0].ack()


def pull(scene: Scene) -> object:
    return scene.queue.pull(0)


def group(queue: type[Any]) -> Scene:
    scene = Scene(queue)
    scene.shared = [scene.broker.subscribe("t.*", group="g") for _ in range(2)]
    scene.broker.publish("t.1", "a")
    scene.broker.publish("t.1", "b")
    return scene


def subscribed(queue: type[Any]) -> Scene:
    scene = Scene(queue)
    scene.shared = [scene.broker.subscribe("t", capacity=1, overflow=Overflow.BLOCK)]
    return scene
