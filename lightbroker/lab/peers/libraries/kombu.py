"""kombu, a messaging library, on its transport in memory, which users of celery know from their tests."""

from collections.abc import Sequence

from kombu.connection import Connection

from lightbroker.lab.peers.base import Peer, Promises, Record


class Kombu(Peer):
    """kombu's `SimpleQueue` in memory.

    It has no lease: an unacked message comes back only when the same process calls `basic_recover`. A failed message
    comes back without a limit, and none is kept apart. It has no bound, nothing outlives the process, and no other
    process can share it.
    """

    name = "kombu memory"
    library = "kombu"
    promises = Promises(ack=True, note="freed by basic_recover in the same process; requeues without a limit")

    def __init__(self) -> None:
        self._connection = Connection("memory://")
        self.queue = self._connection.SimpleQueue("bench")

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """Use `put`, `get` and `ack`."""
        put, get = self.queue.put, self.queue.get
        for body in bodies:
            put(body)
            message = get()
            record(message.payload)
            message.ack()

    def acked(self, sent: int) -> int:
        """Return how many were sent and are not in the queue after every unacked message was put back into it."""
        self.queue.channel.basic_recover(requeue=True)
        return sent - int(self.queue.qsize())

    def close(self) -> None:
        """Empty the queue, which would outlive its connection in this process, and close both."""
        self.queue.clear()
        self.queue.close()
        self._connection.release()
