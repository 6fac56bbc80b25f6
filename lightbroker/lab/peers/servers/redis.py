"""Redis by hand, as many programs use it: a list, and a stream with a consumer group."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import redis

from lightbroker.lab.peers.base import MOMENT, Promises, Record, Stored
from lightbroker.lab.peers.temporary import REDIS, redis_server

_KEY = "bench"
_GROUP = "workers"


class RedisPeer(Stored):
    """What the two have in common."""

    library = "redis"
    server = REDIS

    def __init__(self, address: str) -> None:
        self.client = redis.Redis.from_url(address)

    @classmethod
    @contextmanager
    def home(cls) -> Iterator[str]:
        """The URL of a server of its own."""
        with redis_server() as url:
            yield url

    def close(self) -> None:
        """Close the connection."""
        self.client.close()


class RedisList(RedisPeer):
    """A list: RPUSH, BLPOP."""

    name = "Redis list"
    promises = Promises(across_processes=True, batches=True, note="a server that writes no file here")

    def send(self, bodies: Sequence[bytes]) -> None:
        """RPUSH, with as many as there are."""
        self.client.rpush(_KEY, *bodies)

    def work(self, most: int, record: Record) -> int:
        """BLPOP, or LPOP with a count."""
        found: Any = self.client.blpop([_KEY], MOMENT) if most == 1 else self.client.lpop(_KEY, most)
        bodies = [] if not found else [found[1]] if most == 1 else found
        for body in bodies:
            record(body)
        return len(bodies)

    def acked(self, sent: int) -> None:
        """None: it knows no acknowledgement."""


class RedisStream(RedisPeer):
    """A stream read by a consumer group: XADD, XREADGROUP, XACK."""

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
        """XADD, many in one pipeline."""
        if len(bodies) == 1:
            self.client.xadd(_KEY, {"body": bodies[0]})
            return
        with self.client.pipeline(transaction=False) as pipeline:
            for body in bodies:
                pipeline.xadd(_KEY, {"body": body})
            pipeline.execute()

    def work(self, most: int, record: Record) -> int:
        """XREADGROUP, XACK."""
        found: Any = self.client.xreadgroup(_GROUP, self._consumer, {_KEY: ">"}, count=most, block=int(MOMENT * 1e3))
        if not found:
            return 0
        entries = found[0][1]
        for _, fields in entries:
            record(fields[b"body"])
        self.client.xack(_KEY, _GROUP, *(id for id, _ in entries))
        return len(entries)

    def acked(self, sent: int) -> int:
        """What was sent and is not pending."""
        pending: Any = self.client.xpending(_KEY, _GROUP)
        return sent - int(pending["pending"])
