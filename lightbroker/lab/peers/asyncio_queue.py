"""`asyncio.Queue` beside the queues between threads. Its consumers are tasks of one event loop."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future

from lightbroker.lab.peers.base import STOP, Record, System
from lightbroker.lab.peers.event_loops import AsyncioLoop


class AsyncioQueue(System):
    """`asyncio.Queue` with `task_done`, with an event loop of its own; `AsyncioLoop` says what it does not promise.

    In the closed loop, producers and consumers are tasks of that event loop, as the queue is meant to be used.

    In the open loop, threads make the load, as for every other system, and hand it over by `call_soon_threadsafe`. An
    event loop rounds its own timer up to a millisecond, so pacing by it would measure the timer.
    """

    name = AsyncioLoop.name
    promises = AsyncioLoop.promises

    def __init__(self, capacity: int | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._queue = AsyncioLoop(capacity)

    def put(self, body: bytes) -> None:
        """Hand the body to the event loop from another thread. A full queue raises in the loop, so use it unbounded."""
        self._loop.call_soon_threadsafe(self._queue.for_coroutines.put_nowait, body)

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """Use `put`, `get` and `task_done`."""
        self._loop.run_until_complete(self._queue.pass_on(bodies, record))

    def batch(self, batches: Sequence[Sequence[bytes]], record: Record) -> None:
        """Use `put`, `get` and `task_done` one by one: there are no batch calls."""
        self._loop.run_until_complete(self._batch(batches, record))

    async def _batch(self, batches: Sequence[Sequence[bytes]], record: Record) -> None:
        queue = self._queue.for_coroutines
        put, get, task_done = queue.put, queue.get, queue.task_done
        for bodies in batches:
            for body in bodies:
                await put(body)
            for _ in bodies:
                record(await get())
                task_done()

    def consume(self, record: Record) -> None:
        """Run one consumer task, with the event loop in this thread."""
        self._loop.run_until_complete(self._queue.receive(record))

    def start_consumers(self, pool: Executor, records: Sequence[Record]) -> list[Future[None]]:
        """Start one thread with the event loop, and in it one task for each record."""
        return [pool.submit(lambda: self._loop.run_until_complete(self._consume(records)))]

    async def _consume(self, records: Sequence[Record]) -> None:
        await asyncio.gather(*map(self._queue.receive, records))

    def closed_loop(self, shares: Sequence[Sequence[bytes]], records: Sequence[Record]) -> int:
        """Pass the shares through with one producer task for each; return nanoseconds, as `load.closed_loop` does."""
        return self._loop.run_until_complete(self._closed_loop(shares, records))

    async def _closed_loop(self, shares: Sequence[Sequence[bytes]], records: Sequence[Record]) -> int:
        consumers = asyncio.create_task(self._consume(records))
        await asyncio.sleep(0)
        start = time.perf_counter_ns()
        await asyncio.gather(*map(self._queue.send, shares))
        await self._queue.send([STOP] * len(records))
        await consumers
        return time.perf_counter_ns() - start

    def acked(self, sent: int) -> None:
        """Return None: it counts `task_done` and does not tell."""

    def close(self) -> None:
        """Close the event loop."""
        self._loop.close()
