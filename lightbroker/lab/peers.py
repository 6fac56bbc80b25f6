"""The systems under test. Each does its work in its own idiom, with no adapter between the loop and the queue.

`put` is the system's own bound method, and each class writes its own `consume` loop: a common interface called once
per message would add the same constant to every system and so flatter the slow ones' ratio.
"""

import queue
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import ClassVar

from lightbroker import Broker

Record = Callable[[bytes], object]  #: what a consumer does with a body: keep it, or note the time and keep it
STOP = b""  #: the body after which a consumer returns; it is settled like any other but not recorded


@dataclass(frozen=True)
class Promises:
    """What a system does for a message besides passing it on; a number is worth little without it."""

    bounded: bool
    ack: bool
    lease: bool
    retry: bool
    across_threads: bool
    note: str


class System(ABC):
    """Hands bodies from producers to consumers. `capacity=None` means unbounded."""

    name: ClassVar[str]
    promises: ClassVar[Promises]
    put: Callable[[bytes], object]  #: from any thread

    @abstractmethod
    def __init__(self, capacity: int | None = None) -> None: ...

    @abstractmethod
    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """Pass each body through before the next one, on this thread, with the acknowledgement where there is one."""

    @abstractmethod
    def batch(self, batches: Sequence[Sequence[bytes]], record: Record) -> None:
        """Pass each batch through before the next one, on this thread, by batch calls where the system has any."""

    @abstractmethod
    def consume(self, record: Record) -> None:
        """Receive, record and settle until STOP."""

    @abstractmethod
    def acked(self, sent: int) -> int | None:
        """How many of the `sent` bodies, STOP included, were acknowledged; None if the system does not tell."""

    def start_consumers(self, pool: Executor, records: Sequence[Record]) -> list[Future[None]]:
        """Start one consumer for each record."""
        return [pool.submit(self.consume, record) for record in records]

    def check(self) -> None:  # noqa: B027 - a system without a self-check has nothing to do
        """Raise if the system's own books do not balance."""

    def close(self) -> None:  # noqa: B027 - nor has one without resources
        """Give up what the system holds."""


class LightBroker(System):
    """A queue of an in-memory `Broker` with its default lease and retry."""

    name = "LightBroker"
    promises = Promises(True, True, True, True, True, "exact counters, safe when interrupted")

    def __init__(self, capacity: int | None = None) -> None:
        self.broker = Broker()
        self.queue = self.broker.queue("bench", capacity=capacity)
        self.put = self.queue.push

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """push, pull, ack."""
        push, pull = self.queue.push, self.queue.pull
        for body in bodies:
            push(body)
            delivery = pull()
            record(delivery.message.body)
            delivery.ack()

    def batch(self, batches: Sequence[Sequence[bytes]], record: Record) -> None:
        """push_many, pull_many, ack_many."""
        push_many, pull_many, ack_many = self.queue.push_many, self.queue.pull_many, self.queue.ack_many
        for bodies in batches:
            push_many(bodies)
            deliveries = pull_many(len(bodies))
            for delivery in deliveries:
                record(delivery.message.body)
            ack_many(deliveries)

    def consume(self, record: Record) -> None:
        """pull, ack."""
        pull = self.queue.pull
        while True:
            delivery = pull()
            body = delivery.message.body
            if not body:
                delivery.ack()
                return
            record(body)
            delivery.ack()

    def acked(self, sent: int) -> int:
        """The broker's own count."""
        return self.broker.stats().queues["bench"].acked

    def check(self) -> None:
        """The conservation law."""
        self.broker.check()

    def close(self) -> None:
        """Close the broker, whatever it holds."""
        self.broker.close(drain=False)


class QueueQueue(System):
    """`queue.Queue` with `task_done`, the usual in-process queue."""

    name = "queue.Queue"
    promises = Promises(True, True, False, False, True, "task_done only counts; a taken message is gone")

    def __init__(self, capacity: int | None = None) -> None:
        self.queue: queue.Queue[bytes] = queue.Queue(capacity or 0)
        self.put = self.queue.put

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """put, get, task_done."""
        put, get, task_done = self.queue.put, self.queue.get, self.queue.task_done
        for body in bodies:
            put(body)
            record(get())
            task_done()

    def batch(self, batches: Sequence[Sequence[bytes]], record: Record) -> None:
        """put, get, task_done one by one: there are no batch calls."""
        put, get, task_done = self.queue.put, self.queue.get, self.queue.task_done
        for bodies in batches:
            for body in bodies:
                put(body)
            for _ in bodies:
                record(get())
                task_done()

    def consume(self, record: Record) -> None:
        """get, task_done."""
        get, task_done = self.queue.get, self.queue.task_done
        while True:
            body = get()
            if not body:
                task_done()
                return
            record(body)
            task_done()

    def acked(self, sent: int) -> int:
        """What was sent and is not unfinished."""
        return sent - self.queue.unfinished_tasks


class SimpleQueue(System):
    """`queue.SimpleQueue`, the floor for a queue between Python threads."""

    name = "queue.SimpleQueue"
    promises = Promises(False, False, False, False, True, "nothing else; run unbounded only")

    def __init__(self, capacity: int | None = None) -> None:
        if capacity is not None:
            raise ValueError(f"capacity must be None, queue.SimpleQueue has no bound, not {capacity!r}")
        self.queue: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.put = self.queue.put

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """put, get."""
        put, get = self.queue.put, self.queue.get
        for body in bodies:
            put(body)
            record(get())

    def batch(self, batches: Sequence[Sequence[bytes]], record: Record) -> None:
        """put, get one by one: there are no batch calls."""
        put, get = self.queue.put, self.queue.get
        for bodies in batches:
            for body in bodies:
                put(body)
            for _ in bodies:
                record(get())

    def consume(self, record: Record) -> None:
        """get."""
        get = self.queue.get
        while body := get():
            record(body)

    def acked(self, sent: int) -> None:
        """None: it knows no acknowledgement."""
