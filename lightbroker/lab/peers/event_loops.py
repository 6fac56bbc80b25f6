"""Queues that an event loop and a thread share, each side in its own idiom; `asyncio.Queue` for one loop alone."""

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from lightbroker import Broker
from lightbroker.aio import AsyncBroker
from lightbroker.lab.peers.base import Peer, Promises, Record
from lightbroker.lab.peers.standard import LightBroker, consume


class LoopPeer(Peer):
    """Made in a running loop. `capacity=None` means unbounded."""

    @abstractmethod
    def __init__(self, capacity: int | None = None) -> None: ...

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """Not for a thread: see `pass_on`."""
        raise TypeError(f"{self.name} is measured in an event loop")

    @abstractmethod
    async def pass_on(self, bodies: Sequence[bytes], record: Record) -> None:
        """Send, receive and settle each body before the next, in the loop."""

    @abstractmethod
    async def send(self, bodies: Sequence[bytes]) -> None:
        """Send all from the loop."""

    @abstractmethod
    async def receive(self, record: Record) -> None:
        """Receive, record and settle in the loop, until STOP."""

    @abstractmethod
    def send_from_thread(self, bodies: Sequence[bytes]) -> None:
        """Send all from a thread."""

    @abstractmethod
    def receive_in_thread(self, record: Record) -> None:
        """Receive, record and settle in a thread, until STOP."""


class LightLoop(LoopPeer):
    """An `AsyncBroker` in memory and the `Broker` behind it."""

    name = LightBroker.name
    promises = LightBroker.promises

    def __init__(self, capacity: int | None = None) -> None:
        self._broker = Broker()
        self._queue = self._broker.queue("bench", capacity=capacity)
        self._front = AsyncBroker(self._broker)

    async def pass_on(self, bodies: Sequence[bytes], record: Record) -> None:
        """push, pull, ack."""
        queue = await self._front.queue("bench", capacity=self._queue.options.capacity)
        push, pull = queue.push, queue.pull
        for body in bodies:
            await push(body)
            delivery = await pull()
            record(delivery.message.body)
            await delivery.ack()

    async def send(self, bodies: Sequence[bytes]) -> None:
        """push."""
        push = (await self._front.queue("bench", capacity=self._queue.options.capacity)).push
        for body in bodies:
            await push(body)

    async def receive(self, record: Record) -> None:
        """pull, ack."""
        pull = (await self._front.queue("bench", capacity=self._queue.options.capacity)).pull
        while True:
            delivery = await pull()
            body = delivery.message.body
            if not body:
                await delivery.ack()
                return
            record(body)
            await delivery.ack()

    def send_from_thread(self, bodies: Sequence[bytes]) -> None:
        """push."""
        push = self._queue.push
        for body in bodies:
            push(body)

    def receive_in_thread(self, record: Record) -> None:
        """pull, ack."""
        consume(self._queue, record)

    def acked(self, sent: int) -> int:
        """The broker's own count."""
        return self._queue.stats().acked

    def check(self) -> None:
        """The conservation law."""
        self._broker.check()

    def close(self) -> None:
        """Close the broker."""
        self._broker.close(drain=False)


class _TwoSided(LoopPeer):
    """`put`, `get`, `task_done` on either side."""

    asynchronous: Any
    synchronous: Any

    async def pass_on(self, bodies: Sequence[bytes], record: Record) -> None:
        """put, get, task_done."""
        put, get, task_done = self.asynchronous.put, self.asynchronous.get, self.asynchronous.task_done
        for body in bodies:
            await put(body)
            record(await get())
            task_done()

    async def send(self, bodies: Sequence[bytes]) -> None:
        """put."""
        put = self.asynchronous.put
        for body in bodies:
            await put(body)

    async def receive(self, record: Record) -> None:
        """get, task_done."""
        get, task_done = self.asynchronous.get, self.asynchronous.task_done
        while body := await get():
            record(body)
            task_done()
        task_done()

    def send_from_thread(self, bodies: Sequence[bytes]) -> None:
        """put."""
        put = self.synchronous.put
        for body in bodies:
            put(body)

    def receive_in_thread(self, record: Record) -> None:
        """get, task_done."""
        get, task_done = self.synchronous.get, self.synchronous.task_done
        while body := get():
            record(body)
            task_done()
        task_done()

    def acked(self, sent: int) -> int | None:
        """What was sent and is not unfinished."""
        return sent - int(self.synchronous.unfinished_tasks)


class AsyncioLoop(_TwoSided):
    """`asyncio.Queue`, which has no side for threads."""

    name = "asyncio.Queue"
    promises = Promises(bounded=True, across_threads=False, note="one event loop only; a taken message is gone")

    def __init__(self, capacity: int | None = None) -> None:
        self.asynchronous = asyncio.Queue(capacity or 0)

    def acked(self, sent: int) -> None:
        """None: it counts `task_done` and does not tell."""


class JanusLoop(_TwoSided):
    """janus."""

    name = library = "janus"
    promises = Promises(bounded=True, note="joins threads and an event loop; task_done only counts")

    def __init__(self, capacity: int | None = None) -> None:
        import janus

        self._queue: Any = janus.Queue(capacity or 0)
        self.asynchronous, self.synchronous = self._queue.async_q, self._queue.sync_q

    def close(self) -> None:
        """Close the queue."""
        self._queue.close()


class CulsansLoop(_TwoSided):
    """culsans."""

    name = library = "culsans"
    promises = Promises(bounded=True, note="joins threads and event loops; task_done only counts")

    def __init__(self, capacity: int | None = None) -> None:
        import culsans

        self._queue: Any = culsans.Queue(capacity or 0)
        self.asynchronous, self.synchronous = self._queue.async_q, self._queue.sync_q

    def close(self) -> None:
        """Close the queue."""
        self._queue.close()


LOOPS: dict[str, type[LoopPeer]] = {each.name: each for each in (LightLoop, AsyncioLoop, JanusLoop, CulsansLoop)}
