"""Queues that live and die with the process, by name."""

from lightbroker.core.clock import Clock
from lightbroker.core.memory.queue import MemoryQueue
from lightbroker.core.policy import QueueOptions
from lightbroker.core.store import Note


class MemoryStore:
    """Queues that live and die with the process."""

    def __init__(self) -> None:
        self._declared: dict[str, QueueOptions] = {}

    def queue(self, name: str, options: QueueOptions, clock: Clock, note: Note | None) -> MemoryQueue:
        """Open an empty queue; raises ValueError for a capacity above 10 million."""
        queue = MemoryQueue(name, options, clock, note)
        self._declared[name] = options
        return queue

    def declared(self) -> dict[str, QueueOptions]:
        """The queues that were opened."""
        return dict(self._declared)

    def close(self) -> None:
        """Nothing to give up."""
