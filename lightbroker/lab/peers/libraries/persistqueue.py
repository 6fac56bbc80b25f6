"""persist-queue: `SQLiteAckQueue`, a queue in an SQLite file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from persistqueue import Empty, SQLiteAckQueue

from lightbroker.lab.peers.base import MOMENT, Promises, Record, Stored
from lightbroker.lab.peers.temporary import folder


class PersistQueue(Stored):
    """persist-queue's `SQLiteAckQueue`. Acks name the row, which spares a search through all unacked messages.

    It has no lease: the message of a dead consumer comes back only when the file is opened again. It has no bound, does
    not retry a failed message by itself, and processes must not share it. Acked rows stay in the file until somebody
    clears them, and every `get` passes over them.
    """

    name = "persist-queue"
    library = "persist-queue"
    promises = Promises(
        ack=True,
        dead_letters=True,
        durable=True,
        note="freed when the file is opened again; synchronous=full, SQLite's default; acked rows stay until cleared, "
        "and every get passes over them",
    )

    def __init__(self, address: str) -> None:
        self.queue = SQLiteAckQueue(address)

    @classmethod
    @contextmanager
    def home(cls) -> Iterator[str]:
        """Return a context with the path of a temporary folder."""
        with folder() as path:
            yield str(path)

    def send(self, bodies: Sequence[bytes]) -> None:
        """Use `put`, one by one."""
        for body in bodies:
            self.queue.put(body)

    def work(self, most: int, record: Record) -> int:
        """Use `get` and `ack`, one by one."""
        for received in range(most):
            try:
                item = self.queue.get(timeout=0 if received else MOMENT, raw=True)
            except Empty:
                return received
            record(item["data"])
            self.queue.ack(id=item["pqid"])
        return most

    def acked(self, sent: int) -> int:
        """Return the queue's own count."""
        return self.queue.acked_count()

    def close(self) -> None:
        """Close the file."""
        self.queue.close()
