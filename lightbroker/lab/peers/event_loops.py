"""Queues that an event loop and a thread share, each side by its own calls, and `asyncio.Queue` for one loop alone."""

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

from lightbroker import Broker
from lightbroker.aio import AsyncBroker, AsyncQueue
from lightbroker.lab.peers.base import Peer, Promises, Record
from lightbroker.lab.peers.standard import BrokerPeer, LightBroker, get_until_stop, pull_until_stop


class LoopPeer(Peer):
    """A queue that is made and used in a running event loop."""

    @abstractmethod
    def __init__(self, capacity: int | None = None) -> None:
        """Make an empty queue for at most `capacity` messages; None is unbounded."""

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """Raise TypeError: `pass_on` is the cycle of an event loop."""
        raise TypeError(f"{self.name} is measured in an event loop")

    @abstractmethod
    async def pass_on(self, bodies: Sequence[bytes], record: Record) -> None:
        """Send, receive and ack each body before the next one, in the loop."""

    @abstractmethod
    async def send(self, bodies: Sequence[bytes]) -> None:
        """Send all bodies from the loop."""

    @abstractmethod
    async def receive(self, record: Record) -> None:
        """Receive, record and ack messages in the loop, until STOP."""

    @abstractmethod
    def send_from_thread(self, bodies: Sequence[bytes]) -> None:
        """Send all bodies from a thread."""

    @abstractmethod
    def receive_in_thread(self, record: Record) -> None:
        """Receive, record and ack messages in a thread, until STOP."""


class LightLoop(LoopPeer, BrokerPeer):
    """A `Broker` in memory for threads, and an `AsyncBroker` over it for coroutines.

    It does not promise that a message outlives the process, and no other process can share it.
    """

    name = LightBroker.name
    promises = LightBroker.promises

    def __init__(self, capacity: int | None = None) -> None:
        BrokerPeer.__init__(self, Broker(), capacity)
        self._async_broker = AsyncBroker(self.broker)

    async def _async_queue(self) -> AsyncQueue:
        return await self._async_broker.queue("bench", capacity=self.queue.options.capacity)

    async def pass_on(self, bodies: Sequence[bytes], record: Record) -> None:
        """Use `push`, `pull` and `ack`."""
        queue = await self._async_queue()
        push, pull = queue.push, queue.pull
        for body in bodies:
            await push(body)
            delivery = await pull()
            record(delivery.message.body)
            await delivery.ack()

    async def send(self, bodies: Sequence[bytes]) -> None:
        """Use `push`."""
        push = (await self._async_queue()).push
        for body in bodies:
            await push(body)

    async def receive(self, record: Record) -> None:
        """Use `pull` and `ack`."""
        pull = (await self._async_queue()).pull
        while True:
            delivery = await pull()
            body = delivery.message.body
            if not body:
                await delivery.ack()
                return
            record(body)
            await delivery.ack()

    def send_from_thread(self, bodies: Sequence[bytes]) -> None:
        """Use `push`."""
        push = self.queue.push
        for body in bodies:
            push(body)

    def receive_in_thread(self, record: Record) -> None:
        """Use `pull` and `ack`."""
        pull_until_stop(self.queue, record)


class TaskDoneLoop(LoopPeer):
    """A queue with `put`, `get` and `task_done` on two sides, one for coroutines and one for threads."""

    for_coroutines: Any
    for_threads: Any

    async def pass_on(self, bodies: Sequence[bytes], record: Record) -> None:
        """Use `put`, `get` and `task_done`."""
        put, get, task_done = self.for_coroutines.put, self.for_coroutines.get, self.for_coroutines.task_done
        for body in bodies:
            await put(body)
            record(await get())
            task_done()

    async def send(self, bodies: Sequence[bytes]) -> None:
        """Use `put`."""
        put = self.for_coroutines.put
        for body in bodies:
            await put(body)

    async def receive(self, record: Record) -> None:
        """Use `get` and `task_done`."""
        get, task_done = self.for_coroutines.get, self.for_coroutines.task_done
        while body := await get():
            record(body)
            task_done()
        task_done()

    def send_from_thread(self, bodies: Sequence[bytes]) -> None:
        """Use `put`."""
        put = self.for_threads.put
        for body in bodies:
            put(body)

    def receive_in_thread(self, record: Record) -> None:
        """Use `get` and `task_done`."""
        get_until_stop(self.for_threads, record)

    def acked(self, sent: int) -> int | None:
        """Return how many were sent and are not unfinished."""
        return sent - int(self.for_threads.unfinished_tasks)


class AsyncioLoop(TaskDoneLoop):
    """`asyncio.Queue` with `task_done`, for the coroutines of one event loop. It has no side for threads.

    It promises nothing for a message that was taken. `task_done` only counts, so the message of a failed coroutine is
    gone. Nothing outlives the process, and threads must not share it.
    """

    name = "asyncio.Queue"
    promises = Promises(bounded=True, across_threads=False, note="one event loop only; a taken message is gone")

    def __init__(self, capacity: int | None = None) -> None:
        self.for_coroutines = asyncio.Queue(capacity or 0)

    def acked(self, sent: int) -> None:
        """Return None: it counts `task_done` and does not tell."""


#: What janus and culsans promise, on their side for threads.
BRIDGE = Promises(bounded=True, note="joins threads and an event loop; task_done only counts")


class BridgeLoop(TaskDoneLoop):
    """A queue of a library that joins threads and event loops. The library is imported when the queue is made.

    It promises nothing for a message that was taken. `task_done` only counts, so the message of a dead or failed
    consumer is gone. Nothing outlives the process.
    """

    promises = BRIDGE

    def __init__(self, capacity: int | None = None) -> None:
        self._queue: Any = import_module(self.name).Queue(capacity or 0)
        self.for_coroutines, self.for_threads = self._queue.async_q, self._queue.sync_q

    def close(self) -> None:
        """Close the queue."""
        self._queue.close()


class JanusLoop(BridgeLoop):
    """janus, which joins threads and one event loop."""

    name = library = "janus"


class CulsansLoop(BridgeLoop):
    """culsans, which joins threads and any number of event loops."""

    name = library = "culsans"
    promises = replace(BRIDGE, note="joins threads and event loops; task_done only counts")


#: Every such queue by its name.
LOOPS: dict[str, type[LoopPeer]] = {each.name: each for each in (LightLoop, AsyncioLoop, JanusLoop, CulsansLoop)}
