"""kombu on its memory transport, which celery's users know from their tests."""

from collections.abc import Sequence

from kombu.connection import Connection

from lightbroker.lab.peers.base import Peer, Promises, Record


class Kombu(Peer):
    """Its simple queue: `put`, `get`, `ack`."""

    name = "kombu memory"
    library = "kombu"
    promises = Promises(ack=True, note="freed by basic_recover in the same process; requeues without a limit")

    def __init__(self) -> None:
        self._connection = Connection("memory://")
        self.queue = self._connection.SimpleQueue("bench")

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """put, get, ack."""
        put, get = self.queue.put, self.queue.get
        for body in bodies:
            put(body)
            message = get()
            record(message.payload)
            message.ack()

    def acked(self, sent: int) -> int:
        """What was sent and is not in the queue once it has been given back what is unacked."""
        self.queue.channel.basic_recover(requeue=True)
        return sent - int(self.queue.qsize())

    def close(self) -> None:
        """Close the queue and the connection; the transport's queues belong to the process, so empty this one."""
        self.queue.clear()
        self.queue.close()
        self._connection.release()
