"""LightBroker on the stores that outlive a process: SQLite at both of its settings, and Redis."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar

from lightbroker import Broker, QueueEmpty
from lightbroker.lab.peers.base import MOMENT, FileStored, Promises, Record, RedisStored, Stored
from lightbroker.lab.peers.standard import BrokerPeer, LightBroker


class LightStored(BrokerPeer, Stored):
    """A queue of a `Broker` on the store at an address. The calls are the same as in memory."""

    def __init__(self, address: str) -> None:
        super().__init__(Broker(address), None)

    def send(self, bodies: Sequence[bytes]) -> None:
        """Use `push`, or `push_many` for more than one."""
        if len(bodies) == 1:
            self.queue.push(bodies[0])
        else:
            self.queue.push_many(bodies)

    def work(self, most: int, record: Record) -> int:
        """Use `pull` and `ack`, or `pull_many` and `ack_many` for more than one."""
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
    return replace(LightBroker.promises, durable=durable, across_processes=True, note=note)


class LightSqlite(LightStored, FileStored):
    """LightBroker in an SQLite file, whose commits survive a crash of the process.

    It does not promise that the last commits survive a power cut.
    """

    name = "LightBroker SQLite"
    promises = _promises(True, "synchronous=normal: the last commits may go with the power")
    synchronous: ClassVar[str] = "normal"

    @classmethod
    @contextmanager
    def home(cls) -> Iterator[str]:
        """Return a context with the URL of a file in a temporary folder."""
        with super().home() as path:
            yield f"sqlite:///{path}?synchronous={cls.synchronous}"


class LightSqliteFull(LightSqlite):
    """LightBroker in an SQLite file, whose commits survive a power cut too."""

    name = "LightBroker SQLite FULL"
    promises = _promises(True, "synchronous=full: a commit survives a power cut")
    synchronous = "full"


class LightRedis(LightStored, RedisStored):
    """LightBroker on a Redis server.

    It does not promise more durability than the server has. This one writes nothing to the disk, so its messages go
    with it.
    """

    name = "LightBroker Redis"
    promises = _promises(False, "as durable as Redis is told to be; here without its append-only file")
    library = "redis"
