"""huey, a task queue. To send is to call a task, to receive is to execute it."""

import time
from collections.abc import Sequence
from typing import Any

from huey import Huey, MemoryHuey, RedisHuey, SqliteHuey

from lightbroker.lab.peers.base import MOMENT, POLL, FileStored, Peer, Promises, Record, RedisStored, Stored


class HueyPeer(Peer):
    """One task, dequeued and executed as huey's own consumer does it. Results are not kept: a message has none.

    It promises nothing for the message of a dead consumer: there is no acknowledgement, so the message is gone. It has
    no bound, and messages that it gave up on are not kept apart.
    """

    library = "huey"

    def __init__(self, huey: Huey) -> None:
        self.huey = huey
        self.record: Record = bytes

        def handle(body: bytes) -> None:
            self.record(body)

        self.handle: Any = huey.task()(handle)

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """Call the task, then dequeue and execute it."""
        self.record = record
        handle, dequeue, execute = self.handle, self.huey.dequeue, self.huey.execute
        for body in bodies:
            handle(body)
            execute(dequeue())

    def acked(self, sent: int) -> None:
        """Return None: there is no acknowledgement."""

    def close(self) -> None:
        """Close the storage."""
        self.huey.storage.close()


class HueyMemory(HueyPeer):
    """huey in memory. Besides what `HueyPeer` says, nothing outlives the process, and no other process can share it."""

    name = "huey memory"
    promises = Promises(retry=True, note="a task queue")

    def __init__(self) -> None:
        super().__init__(MemoryHuey(results=False))


class HueyStored(HueyPeer, Stored):
    """huey in a file or on a server, which processes share."""

    def send(self, bodies: Sequence[bytes]) -> None:
        """Call the task, one by one."""
        for body in bodies:
            self.handle(body)

    def work(self, most: int, record: Record) -> int:
        """Dequeue and execute, one by one."""
        self.record = record
        for received in range(most):
            task = self.huey.dequeue()
            if task is None:
                if not received:
                    time.sleep(POLL)
                return received
            self.huey.execute(task)
        return most


class HueySqlite(HueyStored, FileStored):
    """huey in an SQLite file. `HueyPeer` says what it does not promise."""

    name = "huey SQLite"
    promises = Promises(
        retry=True,
        durable=True,
        across_processes=True,
        note="a task queue; synchronous=full, SQLite's default",
    )

    def __init__(self, address: str) -> None:
        super().__init__(SqliteHuey(filename=address, results=False))


class HueyRedis(HueyStored, RedisStored):
    """huey on a Redis server.

    Besides what `HueyPeer` says, it promises no more durability than the server, and this one writes nothing to the
    disk.
    """

    name = "huey Redis"
    promises = Promises(retry=True, across_processes=True, note="a task queue; a server that writes no file here")

    def __init__(self, address: str) -> None:
        super().__init__(RedisHuey(url=address, read_timeout=MOMENT, results=False))

    def close(self) -> None:
        """Close the connections."""
        self.huey.storage.pool.disconnect()
