"""janus and culsans: queues between threads and asyncio, measured on their threads' side, as `queue.Queue` is."""

from collections.abc import Sequence
from typing import Any

import culsans
import janus

from lightbroker.lab.peers.base import Peer, Promises, Record


class Bridge(Peer):
    """`put`, `get`, `task_done` of the threads' side."""

    promises = Promises(bounded=True, note="joins threads and an event loop; task_done only counts")
    queue: Any

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """put, get, task_done."""
        side = self.queue.sync_q
        put, get, task_done = side.put, side.get, side.task_done
        for body in bodies:
            put(body)
            record(get())
            task_done()

    def acked(self, sent: int) -> int:
        """What was sent and is not unfinished."""
        return sent - int(self.queue.sync_q.unfinished_tasks)

    def close(self) -> None:
        """Close the queue."""
        self.queue.close()


class Janus(Bridge):
    """janus."""

    name = library = "janus"

    def __init__(self) -> None:
        self.queue = janus.Queue()


class Culsans(Bridge):
    """culsans."""

    name = library = "culsans"

    def __init__(self) -> None:
        self.queue = culsans.Queue()
