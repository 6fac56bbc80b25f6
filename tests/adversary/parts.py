"""Putting a broken part into a queue in memory."""

from typing import Any

from lightbroker.core.memory.failing import Failing
from lightbroker.core.memory.queue import MemoryQueue


def failing(kind: type[Failing]) -> type[MemoryQueue]:
    """Return a kind of queue that does what is rarer than push, pull and ack as `kind` does it."""

    def __init__(self: MemoryQueue, *arguments: Any) -> None:
        MemoryQueue.__init__(self, *arguments)
        self._failing.close()
        self._failing = kind(self._steps)

    return type(kind.__name__.removeprefix("_"), (MemoryQueue,), {"__init__": __init__})
