"""`asyncio.Queue` as a system under test: its consumers are tasks of one event loop."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future

from lightbroker.lab.peers.base import STOP, Promises, Record, System


class AsyncioQueue(System):
    """`asyncio.Queue` with `task_done`.

    In the closed loop producers and consumers are tasks of the same loop, as the queue is meant to be used. In the
    open loop the load comes from threads, as it does for every system, through `call_soon_threadsafe`: a loop's own
    timer is rounded up to a millisecond, and pacing by it would measure the timer.
    """

    name = "asyncio.Queue"
    promises = Promises(bounded=True, across_threads=False, note="one event loop only; a taken message is gone")

    def __init__(self, capacity: int | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(capacity or 0)

    def put(self, body: bytes) -> None:
        """Hand the body to the loop from another thread; a full queue raises in the loop, so use it unbounded."""
        self._loop.call_soon_threadsafe(self.queue.put_nowait, body)

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """put, get, task_done."""
        self._loop.run_until_complete(self._cycle(bodies, record))

    async def _cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        put, get, task_done = self.queue.put, self.queue.get, self.queue.task_done
        for body in bodies:
            await put(body)
            record(await get())
            task_done()

    def batch(self, batches: Sequence[Sequence[bytes]], record: Record) -> None:
        """put, get, task_done one by one: there are no batch calls."""
        self._loop.run_until_complete(self._batch(batches, record))

    async def _batch(self, batches: Sequence[Sequence[bytes]], record: Record) -> None:
        put, get, task_done = self.queue.put, self.queue.get, self.queue.task_done
        for bodies in batches:
            for body in bodies:
                await put(body)
            for _ in bodies:
                record(await get())
                task_done()

    def consume(self, record: Record) -> None:
        """One consumer task, on a loop of its own thread."""
        self._loop.run_until_complete(self._consume([record]))

    def start_consumers(self, pool: Executor, records: Sequence[Record]) -> list[Future[None]]:
        """One thread with the loop, and in it one task for each record."""
        return [pool.submit(lambda: self._loop.run_until_complete(self._consume(records)))]

    def closed_loop(self, shares: Sequence[Sequence[bytes]], records: Sequence[Record]) -> int:
        """Pass the shares through with one producer task each; returns nanoseconds, like `load.closed_loop`."""
        return self._loop.run_until_complete(self._closed_loop(shares, records))

    async def _closed_loop(self, shares: Sequence[Sequence[bytes]], records: Sequence[Record]) -> int:
        consumers = asyncio.create_task(self._consume(records))
        await asyncio.sleep(0)
        start = time.perf_counter_ns()
        await asyncio.gather(*map(self._produce, shares))
        await self._produce([STOP] * len(records))
        await consumers
        return time.perf_counter_ns() - start

    async def _produce(self, bodies: Sequence[bytes]) -> None:
        put = self.queue.put
        for body in bodies:
            await put(body)

    async def _consume(self, records: Sequence[Record]) -> None:
        async def consume(record: Record) -> None:
            get, task_done = self.queue.get, self.queue.task_done
            while body := await get():
                record(body)
                task_done()
            task_done()

        await asyncio.gather(*map(consume, records))

    def acked(self, sent: int) -> None:
        """None: it counts `task_done` and does not tell."""

    def close(self) -> None:
        """Close the loop."""
        self._loop.close()
