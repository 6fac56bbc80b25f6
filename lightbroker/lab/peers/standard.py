"""The queues of the standard library, and LightBroker in memory."""

import queue
from collections.abc import Sequence

from lightbroker import Broker, Queue
from lightbroker.lab.peers.base import Peer, Promises, Record, System


class BrokerPeer(Peer):
    """A queue of a `Broker` on any store, with its default lease and retry."""

    def __init__(self, broker: Broker, capacity: int | None) -> None:
        self.broker = broker
        self.queue = broker.queue("bench", capacity=capacity)

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
            left = len(bodies)
            while left:
                deliveries = pull_many(left)
                for delivery in deliveries:
                    record(delivery.message.body)
                ack_many(deliveries)
                left -= len(deliveries)

    def acked(self, sent: int) -> int:
        """The broker's own count."""
        return self.broker.stats().queues["bench"].acked

    def check(self) -> None:
        """The conservation law."""
        self.broker.check()

    def close(self) -> None:
        """Close the broker, whatever it holds."""
        self.broker.close(drain=False)


def consume(queue: Queue, record: Record) -> None:
    """Pull, record and ack until STOP, which is acked too."""
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
    """A queue of an in-memory `Broker`."""

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
        """pull, ack."""
        consume(self.queue, record)


class QueueQueue(System):
    """`queue.Queue` with `task_done`, the usual in-process queue."""

    name = "queue.Queue"
    promises = Promises(bounded=True, note="task_done only counts; a taken message is gone")

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
    promises = Promises(note="has no bound; a taken message is gone")

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
