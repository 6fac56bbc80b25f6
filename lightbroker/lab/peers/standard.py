"""The queues of the standard library, and LightBroker in memory."""

import queue
from collections.abc import Sequence
from typing import Any

from lightbroker import Broker, Queue
from lightbroker.lab.peers.base import Peer, Promises, Record, System


class BrokerPeer(Peer):
    """A queue of a `Broker` on any store, with the default lease and retries."""

    def __init__(self, broker: Broker, capacity: int | None) -> None:
        self.broker = broker
        self.queue = broker.queue("bench", capacity=capacity)

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """Use `push`, `pull` and `ack`."""
        push, pull = self.queue.push, self.queue.pull
        for body in bodies:
            push(body)
            delivery = pull()
            record(delivery.message.body)
            delivery.ack()

    def batch(self, batches: Sequence[Sequence[bytes]], record: Record) -> None:
        """Use `push_many`, `pull_many` and `ack_many`."""
        push_many, pull_many, ack_many = self.queue.push_many, self.queue.pull_many, self.queue.ack_many
        for bodies in batches:
            push_many(bodies)
            left = len(bodies)
            while left:
                deliveries = pull_many(left)
                for delivery in deliveries:
                    record(delivery.message.body)
                ack_many(deliveries)
                left -= len(deliveries)

    def acked(self, sent: int) -> int:
        """Return the broker's own count."""
        return self.queue.stats().acked

    def check(self) -> None:
        """Check the conservation law."""
        self.broker.check()

    def close(self) -> None:
        """Close the broker, whatever it holds."""
        self.broker.close(drain=False)


def pull_until_stop(queue: Queue, record: Record) -> None:
    """Pull, record and ack messages until STOP, which is acked too."""
    pull = queue.pull
    while True:
        delivery = pull()
        body = delivery.message.body
        if not body:
            delivery.ack()
            return
        record(body)
        delivery.ack()


class LightBroker(BrokerPeer, System):
    """A queue of a `Broker` in memory.

    It does not promise that a message outlives the process, and no other process can share it.
    """

    name = "LightBroker"
    promises = Promises(
        bounded=True,
        ack=True,
        lease=True,
        retry=True,
        dead_letters=True,
        batches=True,
        note="exact counters, safe when interrupted",
    )

    def __init__(self, capacity: int | None = None) -> None:
        super().__init__(Broker(), capacity)
        self.put = self.queue.push

    def consume(self, record: Record) -> None:
        """Use `pull` and `ack`."""
        pull_until_stop(self.queue, record)


class TaskDonePeer(Peer):
    """A queue with the methods of `queue.Queue`: `put`, `get`, `task_done`, and a count of unfinished tasks."""

    queue: Any

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """Use `put`, `get` and `task_done`."""
        put, get, task_done = self.queue.put, self.queue.get, self.queue.task_done
        for body in bodies:
            put(body)
            record(get())
            task_done()

    def acked(self, sent: int) -> int:
        """Return how many were sent and are not unfinished."""
        return sent - int(self.queue.unfinished_tasks)


def get_until_stop(queue: Any, record: Record) -> None:
    """Get, record and `task_done` messages until STOP, which counts as done too."""
    get, task_done = queue.get, queue.task_done
    while body := get():
        record(body)
        task_done()
    task_done()


class QueueQueue(TaskDonePeer, System):
    """`queue.Queue` with `task_done`, the usual queue between threads.

    It promises nothing for a message that was taken. `task_done` only counts, so the message of a dead or failed
    consumer is gone. Nothing outlives the process.
    """

    name = "queue.Queue"
    promises = Promises(bounded=True, note="task_done only counts; a taken message is gone")

    def __init__(self, capacity: int | None = None) -> None:
        self.queue: queue.Queue[bytes] = queue.Queue(capacity or 0)
        self.put = self.queue.put

    def batch(self, batches: Sequence[Sequence[bytes]], record: Record) -> None:
        """Use `put`, `get` and `task_done` one by one: there are no batch calls."""
        put, get, task_done = self.queue.put, self.queue.get, self.queue.task_done
        for bodies in batches:
            for body in bodies:
                put(body)
            for _ in bodies:
                record(get())
                task_done()

    def consume(self, record: Record) -> None:
        """Use `get` and `task_done`."""
        get_until_stop(self.queue, record)


class SimpleQueue(System):
    """`queue.SimpleQueue`, the fastest queue between Python threads: nothing between them can cost less.

    It promises nothing for a message that was taken, as there is no acknowledgement. It has no bound, and nothing
    outlives the process.
    """

    name = "queue.SimpleQueue"
    promises = Promises(note="has no bound; a taken message is gone")

    def __init__(self, capacity: int | None = None) -> None:
        if capacity is not None:
            raise ValueError(f"capacity must be None, queue.SimpleQueue has no bound, not {capacity!r}")
        self.queue: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.put = self.queue.put

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """Use `put` and `get`."""
        put, get = self.queue.put, self.queue.get
        for body in bodies:
            put(body)
            record(get())

    def batch(self, batches: Sequence[Sequence[bytes]], record: Record) -> None:
        """Use `put` and `get` one by one: there are no batch calls."""
        put, get = self.queue.put, self.queue.get
        for bodies in batches:
            for body in bodies:
                put(body)
            for _ in bodies:
                record(get())

    def consume(self, record: Record) -> None:
        """Use `get`."""
        get = self.queue.get
        while body := get():
            record(body)

    def acked(self, sent: int) -> None:
        """Return None: there is no acknowledgement."""
