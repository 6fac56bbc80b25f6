"""litequeue: a queue in an SQLite file."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from litequeue import LiteQueue

from lightbroker.lab.peers.base import POLL, Promises, Record, Stored
from lightbroker.lab.peers.temporary import folder


class Litequeue(Stored):
    """`put`, `pop`, `done`. Its bodies are text; Latin-1 keeps every byte."""

    name = "litequeue"
    library = "litequeue"
    promises = Promises(
        bounded=True,
        ack=True,
        dead_letters=True,
        durable=True,
        across_processes=True,
        note="freed by list_locked and retry; synchronous=normal; rows stay until pruned",
    )

    def __init__(self, address: str) -> None:
        self.queue = LiteQueue(address)

    @classmethod
    @contextmanager
    def home(cls) -> Iterator[str]:
        """The path of a file in a temporary folder."""
        with folder() as path:
            yield str(path / "bench.db")

    def send(self, bodies: Sequence[bytes]) -> None:
        """put, one by one."""
        for body in bodies:
            self.queue.put(body.decode("latin-1"))

    def work(self, most: int, record: Record) -> int:
        """pop, done, one by one; `pop` does not wait."""
        for received in range(most):
            message = self.queue.pop()
            if message is None:
                if not received:
                    time.sleep(POLL)
                return received
            record(message.data.encode("latin-1"))
            self.queue.done(message.message_id)
        return most

    def acked(self, sent: int) -> int:
        """What was sent and is neither ready nor locked."""
        return sent - int(self.queue.qsize())

    def close(self) -> None:
        """Close the file."""
        self.queue.close()
