"""`AsyncBroker` behind the methods of `Broker`, so that the tests of the contract run over an event loop unchanged.

Each broker has an event loop in a thread of its own. A call of a test runs a coroutine there and waits for it.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from types import TracebackType
from typing import Any, TypeVar

from lightbroker import DeadLetter, Delivery, ManualClock
from lightbroker.aio import AsyncBroker, AsyncDeadLetterQueue, AsyncDelivery, AsyncQueue
from lightbroker.core.stats import QueueStats

T = TypeVar("T")


class LoopThread:
    """An event loop that runs in a thread until it is stopped."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop and return its result. If the loop was stopped, run it in this thread."""
        if self._thread.is_alive():
            return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()
        return asyncio.run(coroutine)

    def stop(self) -> None:
        """Cancel the tasks that are left, and end the loop."""
        if self._thread.is_alive():
            self.run(self._end())
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class FacadeDelivery(Delivery):
    """A `Delivery` that is settled in the loop."""

    __slots__ = ("inner", "loop")

    def __init__(self, loop: LoopThread, inner: AsyncDelivery) -> None:
        self.loop, self.inner, self.stored = loop, inner, _Settler()
        self.message = inner.message

    @property
    def deadline(self) -> float:  # type: ignore[override]
        return self.inner.deadline

    @property
    def receipt(self) -> str:
        return self.inner.receipt

    def nack(self, error: BaseException | str | None = None, delay: float | None = None) -> None:
        self.loop.run(_awaited(self.inner.nack, error, delay))


class _Settler:
    """Settles `FacadeDelivery` objects."""

    def ack(self, delivery: Any) -> None:
        delivery.loop.run(_awaited(delivery.inner.ack))

    def nack(self, delivery: Any, error: str, trace: str, delay: float | None) -> None:
        delivery.loop.run(_awaited(delivery.inner.nack, error, delay))

    def release(self, delivery: Any) -> None:
        delivery.loop.run(_awaited(delivery.inner.release))

    def reject(self, delivery: Any, reason: str) -> None:
        delivery.loop.run(_awaited(delivery.inner.reject, reason))

    def extend(self, delivery: Any, seconds: float) -> None:
        delivery.loop.run(_awaited(delivery.inner.extend, seconds))


async def _awaited(verb: Callable[..., Awaitable[None]], *args: Any) -> None:
    await verb(*args)


class FacadeDeadLetters:
    """Has the methods of `DeadLetterQueue`."""

    def __init__(self, loop: LoopThread, inner: AsyncDeadLetterQueue) -> None:
        self._loop, self._inner = loop, inner

    def __len__(self) -> int:
        return self._loop.run(self._inner.count())

    def __iter__(self) -> Iterator[DeadLetter]:
        return iter(self._loop.run(self._letters()))

    async def _letters(self) -> list[DeadLetter]:
        return [letter async for letter in self._inner]

    def redrive(self, ids: Iterable[str] | None = None, limit: int | None = None) -> int:
        return self._loop.run(self._inner.redrive(ids, limit))

    def purge(self) -> int:
        return self._loop.run(self._inner.purge())


class FacadeQueue:
    """Has the methods of `Queue`."""

    def __init__(self, loop: LoopThread, inner: AsyncQueue) -> None:
        self._loop, self._inner = loop, inner
        self.name, self.options, self.clock = inner.name, inner.options, inner._sync_queue.clock
        self.stored = inner._sync_queue.stored
        self.dead_letters = FacadeDeadLetters(loop, inner.dead_letters)

    def push(self, body: object, **options: Any) -> str | None:
        return self._loop.run(self._inner.push(body, **options))

    def push_many(self, bodies: Iterable[object], **options: Any) -> list[str | None]:
        return self._loop.run(self._inner.push_many(bodies, **options))

    def pull(self, timeout: float | None = None) -> FacadeDelivery:
        return FacadeDelivery(self._loop, self._loop.run(self._inner.pull(timeout)))

    def pull_many(self, n: int, timeout: float | None = None) -> list[FacadeDelivery]:
        return [FacadeDelivery(self._loop, each) for each in self._loop.run(self._inner.pull_many(n, timeout))]

    def ack_many(self, deliveries: Iterable[FacadeDelivery]) -> None:
        self._loop.run(self._inner.ack_many(each.inner for each in deliveries))

    def stats(self) -> QueueStats:
        return self._loop.run(self._inner.stats())


class Facade:
    """Has the methods of `Broker`."""

    def __init__(self, store: Any = "memory://", *, clock: ManualClock | None = None, trace: int = 0) -> None:
        self._loop = LoopThread()
        self.inner = AsyncBroker(store, clock=clock, trace=trace)
        self._queues: dict[AsyncQueue, FacadeQueue] = {}

    def queue(self, name: str, *args: Any, **options: Any) -> FacadeQueue:
        inner = self._loop.run(self.inner.queue(name, *args, **options))
        return self._queues.setdefault(inner, FacadeQueue(self._loop, inner))

    def push(self, queue: str, body: object, **options: Any) -> str | None:
        return self._loop.run(self.inner.push(queue, body, **options))

    def pull(self, queue: str, timeout: float | None = None) -> FacadeDelivery:
        return FacadeDelivery(self._loop, self._loop.run(self.inner.pull(queue, timeout)))

    def dlq(self, queue: str) -> FacadeDeadLetters:
        return FacadeDeadLetters(self._loop, self.inner.dlq(queue))

    def stats(self) -> Any:
        return self._loop.run(self.inner.stats())

    def trace(self, message_id: str) -> Any:
        return self.inner.trace(message_id)

    def check(self) -> None:
        self._loop.run(self.inner.check())

    def close(self, drain: bool = True, timeout: float | None = None) -> None:
        self._loop.run(self.inner.close(drain, timeout))

    def stop(self) -> None:
        """End the loop's thread."""
        self._loop.stop()

    def __enter__(self) -> "Facade":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close(drain=error is None)
        self.stop()
