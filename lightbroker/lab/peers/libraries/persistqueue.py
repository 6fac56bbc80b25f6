"""persist-queue: `SQLiteAckQueue`, a queue in an SQLite file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from persistqueue import Empty, SQLiteAckQueue

from lightbroker.lab.peers.base import MOMENT, Promises, Record, Stored
from lightbroker.lab.peers.temporary import folder


class PersistQueue(Stored):
    """`put`, `get`, `ack`, by the row's id, which spares it a search through all that is not yet acked."""

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
        """The path of a temporary folder."""
        with folder() as path:
            yield str(path)

    def send(self, bodies: Sequence[bytes]) -> None:
        """put, one by one."""
        for body in bodies:
            self.queue.put(body)

    def work(self, most: int, record: Record) -> int:
        """get, ack, one by one."""
        for received in range(most):
            try:
                item = self.queue.get(timeout=0 if received else MOMENT, raw=True)
            except Empty:
                return received
            record(item["data"])
            self.queue.ack(id=item["pqid"])
        return most

    def acked(self, sent: int) -> int:
        """Its own count."""
        return self.queue.acked_count()

    def close(self) -> None:
        """Close the file."""
        self.queue.close()
