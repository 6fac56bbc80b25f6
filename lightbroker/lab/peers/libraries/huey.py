"""huey, a task queue: to send is to call a task, to receive is to execute it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from huey import Huey, MemoryHuey, RedisHuey, SqliteHuey

from lightbroker.lab.peers.base import MOMENT, POLL, Peer, Promises, Record, Stored
from lightbroker.lab.peers.temporary import REDIS, folder, redis_server


class HueyPeer(Peer):
    """One task; dequeue and execute, as huey's consumer does. It keeps no results, since a message has none."""

    library = "huey"

    def __init__(self, huey: Huey) -> None:
        self.huey = huey
        self.record: Record = bytes

        def handle(body: bytes) -> None:
            self.record(body)

        self.handle: Any = huey.task()(handle)

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """Call the task; dequeue, execute."""
        self.record = record
        handle, dequeue, execute = self.handle, self.huey.dequeue, self.huey.execute
        for body in bodies:
            handle(body)
            execute(dequeue())

    def acked(self, sent: int) -> None:
        """None: it knows no acknowledgement."""

    def close(self) -> None:
        """Close the storage."""
        self.huey.storage.close()


class HueyMemory(HueyPeer):
    """In memory."""

    name = "huey memory"
    promises = Promises(retry=True, note="a task queue")

    def __init__(self) -> None:
        super().__init__(MemoryHuey(results=False))


class HueyStored(HueyPeer, Stored):
    """In a file or a server, shared by processes."""

    def send(self, bodies: Sequence[bytes]) -> None:
        """Call the task, one by one."""
        for body in bodies:
            self.handle(body)

    def work(self, most: int, record: Record) -> int:
        """Dequeue, execute, one by one."""
        self.record = record
        for received in range(most):
            task = self.huey.dequeue()
            if task is None:
                if not received:
                    time.sleep(POLL)
                return received
            self.huey.execute(task)
        return most


class HueySqlite(HueyStored):
    """In an SQLite file."""

    name = "huey SQLite"
    promises = Promises(
        retry=True,
        durable=True,
        across_processes=True,
        note="a task queue; synchronous=full, SQLite's default",
    )

    def __init__(self, address: str) -> None:
        super().__init__(SqliteHuey(filename=address, results=False))

    @classmethod
    @contextmanager
    def home(cls) -> Iterator[str]:
        """The path of a file in a temporary folder."""
        with folder() as path:
            yield str(path / "bench.db")


class HueyRedis(HueyStored):
    """On a Redis server."""

    name = "huey Redis"
    promises = Promises(retry=True, across_processes=True, note="a task queue; a server that writes no file here")
    server = REDIS

    def __init__(self, address: str) -> None:
        super().__init__(RedisHuey(url=address, read_timeout=MOMENT, results=False))

    @classmethod
    @contextmanager
    def home(cls) -> Iterator[str]:
        """The URL of a server of its own."""
        with redis_server() as url:
            yield url

    def close(self) -> None:
        """Close the connections."""
        self.huey.storage.pool.disconnect()
