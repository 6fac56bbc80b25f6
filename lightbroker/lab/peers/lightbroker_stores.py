"""LightBroker on its stores that outlive a process or reach beyond it: SQLite at both settings, and Redis."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

from lightbroker import Broker, QueueEmpty
from lightbroker.lab.peers.base import MOMENT, Promises, Record, Stored
from lightbroker.lab.peers.standard import BrokerPeer
from lightbroker.lab.peers.temporary import REDIS, folder, redis_server


class LightStored(BrokerPeer, Stored):
    """A queue of a `Broker` on the store at an address; the program is the one that it would be in memory."""

    def __init__(self, address: str) -> None:
        super().__init__(Broker(address), None)

    def send(self, bodies: Sequence[bytes]) -> None:
        """push or push_many."""
        if len(bodies) == 1:
            self.queue.push(bodies[0])
        else:
            self.queue.push_many(bodies)

    def work(self, most: int, record: Record) -> int:
        """pull and ack, or pull_many and ack_many."""
        try:
            deliveries = [self.queue.pull(MOMENT)] if most == 1 else self.queue.pull_many(most, MOMENT)
        except QueueEmpty:
            return 0
        for delivery in deliveries:
            record(delivery.message.body)
        if most == 1:
            deliveries[0].ack()
        else:
            self.queue.ack_many(deliveries)
        return len(deliveries)


def _promises(durable: bool, note: str) -> Promises:
    return Promises(
        bounded=True,
        ack=True,
        lease=True,
        retry=True,
        dead_letters=True,
        durable=durable,
        across_processes=True,
        batches=True,
        note=note,
    )


class LightSqlite(LightStored):
    """In an SQLite file, whose commits a crash of the process does not undo."""

    name = "LightBroker SQLite"
    promises = _promises(True, "synchronous=normal: the last commits may go with the power")
    synchronous: ClassVar[str] = "normal"

    @classmethod
    @contextmanager
    def home(cls) -> Iterator[str]:
        """The URL of a file in a temporary folder."""
        with folder() as path:
            yield f"sqlite:///{path}/bench.db?synchronous={cls.synchronous}"


class LightSqliteFull(LightSqlite):
    """In an SQLite file, whose commits a power cut does not undo either."""

    name = "LightBroker SQLite FULL"
    promises = _promises(True, "synchronous=full: a commit survives a power cut")
    synchronous = "full"


class LightRedis(LightStored):
    """On a Redis server."""

    name = "LightBroker Redis"
    promises = _promises(False, "as durable as Redis is told to be; here without its append-only file")
    library = "redis"
    server = REDIS

    @classmethod
    @contextmanager
    def home(cls) -> Iterator[str]:
        """The URL of a server of its own."""
        with redis_server() as url:
            yield url
