"""A `Broker` as coroutines call it: opened when it is first used, and called where it cannot block the event loop.

Cancelling a coroutine that waits for a call does not stop the function if a thread has begun it. If none has, the
function is never called.
"""

import threading
from collections.abc import Callable
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from lightbroker.aio.threaded import StoreExecutor
from lightbroker.core.broker import Broker
from lightbroker.core.clock import Clock
from lightbroker.core.memory.store import MemoryStore
from lightbroker.core.store import Store
from lightbroker.core.topic.topics import SharedStore

P = ParamSpec("P")
T = TypeVar("T")

_CONNECTIONS = 4  # threads that call a server, each over a connection of its own


class LazyBroker:
    """A broker that is given, or is made when it is first called.

    A broker in memory does no I/O. It is made at once, and called in the coroutine's own step.

    Args:
        broker: See `AsyncBroker`.
        clock: See `AsyncBroker`.
        trace: See `AsyncBroker`.

    Attributes:
        broker: The broker, or None if it was not opened yet.
        shared: Whether it was given.
        executor: The threads in which it is called if it does I/O.
    """

    def __init__(self, broker: Broker | str | Store, clock: Clock | None, trace: int) -> None:
        self.broker: Broker | None = None
        self.shared = isinstance(broker, Broker)
        self._make: Callable[[], Broker]
        if not isinstance(broker, Broker):
            self._make = partial(Broker, broker, clock=clock, trace=trace)
            if not isinstance(broker, str) or broker.startswith("memory:"):
                self.broker = self._make()
        elif clock is not None or trace:
            raise ValueError("clock and trace are those of the broker that is given; leave them out")
        else:
            self.broker = broker
        remote = str(broker).startswith("redis") or isinstance(self.broker and self.broker._store, SharedStore)
        self.executor = StoreExecutor(_CONNECTIONS if remote else 1)
        self._lock = threading.Lock()  # held while the broker is made, because two threads may begin at once

    async def call(self, function: Callable[Concatenate[Broker, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function with the broker and return what it returns."""
        broker = self.broker
        if broker is None:
            broker = await self.executor.call(self._open)
        if isinstance(broker._store, MemoryStore):
            return function(broker, *args, **kwargs)
        return await self.executor.call(function, broker, *args, **kwargs)

    def _open(self) -> Broker:
        with self._lock:
            if self.broker is None:
                self.broker = self._make()
            return self.broker
