"""dramatiq, a task queue. To send is to send to an actor, to receive is to call the actor with the next message."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any

from dramatiq import Broker, actor
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker

from lightbroker.lab.peers.base import MOMENT, Peer, Promises, Record, RedisStored

_QUEUE = "bench"


class DramatiqPeer(Peer):
    """One actor, and one consumer of its queue. dramatiq's messages are JSON, so the bodies are sent as base 64."""

    library = "dramatiq"

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.record: Record = bytes

        def handle(text: str) -> None:
            self.record(b64decode(text))

        self.actor = actor(queue_name=_QUEUE, broker=broker)(handle)
        self.consumer: Any = broker.consume(_QUEUE, prefetch=1, timeout=int(MOMENT * 1e3))

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """Send to the actor, take the next message, call the actor, ack."""
        self.record = record
        handle, consumer = self.actor, self.consumer
        for body in bodies:
            handle.send(b64encode(body).decode())
            message = next(consumer)
            handle(*message.args, **message.kwargs)
            consumer.ack(message)

    def close(self) -> None:
        """Close the consumer and the broker."""
        self.consumer.close()
        self.broker.close()


class DramatiqStub(DramatiqPeer):
    """dramatiq on its broker in memory, which is made for tests.

    It promises nothing for the message of a dead consumer: an ack only counts. It has no bound, nothing outlives the
    process, and no other process can share it.
    """

    name = "dramatiq stub"
    promises = Promises(retry=True, dead_letters=True, note="a task queue's broker for tests; an ack only counts")

    def __init__(self) -> None:
        super().__init__(StubBroker())

    def acked(self, sent: int) -> int:
        """Return how many were sent and are not unfinished."""
        return sent - int(self.broker.queues[_QUEUE].unfinished_tasks)


class DramatiqRedis(DramatiqPeer, RedisStored):
    """dramatiq on a Redis server.

    It has no bound. The message of a dead worker comes back only when the worker's last heartbeat is 60 s old. It
    promises no more durability than the server, and this one writes nothing to the disk.
    """

    name = "dramatiq Redis"
    promises = Promises(
        ack=True,
        lease=True,
        retry=True,
        dead_letters=True,
        across_processes=True,
        note="when a worker's heartbeat is 60 s old; a server that writes no file here",
    )

    def __init__(self, address: str) -> None:
        super().__init__(RedisBroker(url=address))

    def send(self, bodies: Sequence[bytes]) -> None:
        """Send to the actor, one by one."""
        for body in bodies:
            self.actor.send(b64encode(body).decode())

    def work(self, most: int, record: Record) -> int:
        """Take the next message, call the actor and ack, one by one."""
        self.record = record
        for received in range(most):
            message = next(self.consumer)
            if message is None:
                return received
            self.actor(*message.args, **message.kwargs)
            self.consumer.ack(message)
        return most

    def acked(self, sent: int) -> int:
        """Return how many were sent and are neither queued nor unacked."""
        return sent - int(self.broker.do_qsize(_QUEUE))  # type: ignore[attr-defined]

    def close(self) -> None:
        """Close the consumer, the broker and its connections."""
        super().close()
        self.broker.client.close()  # type: ignore[attr-defined]
