"""litequeue: a queue in an SQLite file."""

import time
from collections.abc import Sequence

from litequeue import LiteQueue

from lightbroker.lab.peers.base import POLL, FileStored, Promises, Record


class Litequeue(FileStored):
    """litequeue. It takes text, so the bodies are sent as Latin-1, which keeps every byte.

    It has no lease: the message of a dead consumer stays locked until somebody calls `list_locked` and `retry`. It does
    not retry a failed message by itself. The last commits may be lost in a power cut. Rows stay in the file until
    somebody prunes them.
    """

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

    def send(self, bodies: Sequence[bytes]) -> None:
        """Use `put`, one by one."""
        for body in bodies:
            self.queue.put(body.decode("latin-1"))

    def work(self, most: int, record: Record) -> int:
        """Use `pop`, which does not wait, and `done`, one by one."""
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
        """Return how many were sent and are neither ready nor locked."""
        return sent - int(self.queue.qsize())

    def close(self) -> None:
        """Close the file."""
        self.queue.close()
