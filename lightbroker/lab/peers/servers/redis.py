"""Redis without a queue library, as many programs use it: a list, and a stream with a consumer group."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import redis

from lightbroker.lab.peers.base import MOMENT, Promises, Record, RedisStored

_KEY = "bench"
_GROUP = "workers"


class RedisPeer(RedisStored):
    """A connection to a Redis server of its own, which writes nothing to the disk."""

    library = "redis"

    def __init__(self, address: str) -> None:
        self.client = redis.Redis.from_url(address)

    def close(self) -> None:
        """Close the connection."""
        self.client.close()


class RedisList(RedisPeer):
    """A Redis list.

    It promises nothing for a message that was taken: BLPOP removes it, so the message of a dead or failed consumer is
    gone. It has no bound. It promises no more durability than the server, and this one writes nothing to the disk.
    """

    name = "Redis list"
    promises = Promises(across_processes=True, batches=True, note="a server that writes no file here")

    def send(self, bodies: Sequence[bytes]) -> None:
        """Use RPUSH, with all bodies in one call."""
        self.client.rpush(_KEY, *bodies)

    def work(self, most: int, record: Record) -> int:
        """Use BLPOP, or LPOP with a count for more than one."""
        found: Any = self.client.blpop([_KEY], MOMENT) if most == 1 else self.client.lpop(_KEY, most)
        bodies = [] if not found else [found[1]] if most == 1 else found
        for body in bodies:
            record(body)
        return len(bodies)

    def acked(self, sent: int) -> None:
        """Return None: there is no acknowledgement."""


class RedisStream(RedisPeer):
    """A Redis stream that a consumer group reads.

    It has no lease: the message of a dead consumer stays pending until somebody calls XAUTOCLAIM. It does not retry a
    failed message by itself, and keeps none apart. Entries stay in the stream until somebody trims it. It promises no
    more durability than the server, and this one writes nothing to the disk.
    """

    name = "Redis stream"
    promises = Promises(
        bounded=True,
        ack=True,
        across_processes=True,
        batches=True,
        note="freed by XAUTOCLAIM; entries stay until trimmed; a server that writes no file here",
    )

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._consumer = str(uuid4())
        if not self.client.exists(_KEY):
            self.client.xgroup_create(_KEY, _GROUP, id="0", mkstream=True)

    def send(self, bodies: Sequence[bytes]) -> None:
        """Use XADD, in one pipeline for more than one."""
        if len(bodies) == 1:
            self.client.xadd(_KEY, {"body": bodies[0]})
            return
        with self.client.pipeline(transaction=False) as pipeline:
            for body in bodies:
                pipeline.xadd(_KEY, {"body": body})
            pipeline.execute()

    def work(self, most: int, record: Record) -> int:
        """Use XREADGROUP and XACK."""
        found: Any = self.client.xreadgroup(_GROUP, self._consumer, {_KEY: ">"}, count=most, block=int(MOMENT * 1e3))
        if not found:
            return 0
        entries = found[0][1]
        for _, fields in entries:
            record(fields[b"body"])
        self.client.xack(_KEY, _GROUP, *(id for id, _ in entries))
        return len(entries)

    def acked(self, sent: int) -> int:
        """Return how many were sent and are not pending."""
        pending: Any = self.client.xpending(_KEY, _GROUP)
        return sent - int(pending["pending"])
