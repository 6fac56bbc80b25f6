"""dramatiq, a task queue: to send is to send to an actor, to receive is to call it with what a consumer gets."""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from dramatiq import Broker, actor
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker

from lightbroker.lab.peers.base import MOMENT, Peer, Promises, Record, Stored
from lightbroker.lab.peers.temporary import REDIS, redis_server

_QUEUE = "bench"


class DramatiqPeer(Peer):
    """One actor and one consumer of its queue. Its bodies have to be JSON, so they are text in base 64."""

    library = "dramatiq"

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.record: Record = bytes

        def handle(text: str) -> None:
            self.record(b64decode(text))

        self.actor = actor(queue_name=_QUEUE, broker=broker)(handle)
        self.consumer: Any = broker.consume(_QUEUE, prefetch=1, timeout=int(MOMENT * 1e3))

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """Send; next message, call of the actor, ack."""
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
    """Its broker in memory, which is made for tests."""

    name = "dramatiq stub"
    promises = Promises(retry=True, dead_letters=True, note="a task queue's broker for tests; an ack only counts")

    def __init__(self) -> None:
        super().__init__(StubBroker())

    def acked(self, sent: int) -> int:
        """What was sent and is not unfinished."""
        return sent - int(self.broker.queues[_QUEUE].unfinished_tasks)


class DramatiqRedis(DramatiqPeer, Stored):
    """On a Redis server."""

    name = "dramatiq Redis"
    promises = Promises(
        ack=True,
        lease=True,
        retry=True,
        dead_letters=True,
        across_processes=True,
        note="when a worker's heartbeat is 60 s old; a server that writes no file here",
    )
    server = REDIS

    def __init__(self, address: str) -> None:
        super().__init__(RedisBroker(url=address))

    @classmethod
    @contextmanager
    def home(cls) -> Iterator[str]:
        """The URL of a server of its own."""
        with redis_server() as url:
            yield url

    def send(self, bodies: Sequence[bytes]) -> None:
        """Send to the actor, one by one."""
        for body in bodies:
            self.actor.send(b64encode(body).decode())

    def work(self, most: int, record: Record) -> int:
        """Next message, call, ack, one by one."""
        self.record = record
        for received in range(most):
            message = next(self.consumer)
            if message is None:
                return received
            self.actor(*message.args, **message.kwargs)
            self.consumer.ack(message)
        return most

    def acked(self, sent: int) -> int:
        """What was sent and is neither queued nor unacked."""
        return sent - int(self.broker.do_qsize(_QUEUE))  # type: ignore[attr-defined]

    def close(self) -> None:
        """Close the connections too."""
        super().close()
        self.broker.client.close()  # type: ignore[attr-defined]
