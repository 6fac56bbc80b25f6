"""A pool of coroutines that pull, run an asynchronous handler and settle; the twin of `lightbroker.core.worker`."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType

from lightbroker.aio.delivery import AsyncDelivery
from lightbroker.aio.queue import AsyncQueue
from lightbroker.core.errors import BrokerError, LeaseLost, QueueClosed, check_count
from lightbroker.core.histogram import Tally
from lightbroker.core.message import Message
from lightbroker.core.queue import check_timeout
from lightbroker.core.worker import AGAIN, tell_failure, tell_late

log = logging.getLogger(__name__)


def check_workers(handler: object, concurrency: object) -> None:
    """Raise what `AsyncWorkerPool` raises for an argument that makes no sense."""
    if not callable(handler):
        raise TypeError(f"handler must be callable, not {handler!r}")
    if inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
        raise TypeError(f"handler must be an async function that returns, not a generator: {handler!r}")
    check_count("concurrency", concurrency)


class AsyncWorkerPool:
    """Awaits `handler(message)` for each message of a queue, `concurrency` at a time; made by `AsyncBroker.workers`.

    It acks when the handler returns and nacks with the traceback when it raises. While the handler runs its lease is
    extended every third of its length, from the clock's thread, so even a handler that blocks the loop keeps its lease.

    As an asynchronous context manager it starts, and at the end of the block stops with a drain. If the block is
    cancelled, so are the handlers.
    """

    queue: AsyncQueue
    _loop: asyncio.AbstractEventLoop

    def __init__(
        self,
        open_queue: Callable[[], Awaitable[AsyncQueue]],
        handler: Callable[[Message], Awaitable[object]],
        concurrency: int = 100,
    ) -> None:
        check_workers(handler, concurrency)
        self.stopped = False  #: whether `stop` was called
        self._open = open_queue
        self._handler = handler
        self._concurrency = concurrency
        self._running: dict[int, AsyncDelivery] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> "AsyncWorkerPool":
        """Begin, in the event loop that runs. Raises QueueClosed if it was stopped, RuntimeError the second time."""
        self.queue = await self._open()
        if self.stopped:
            raise QueueClosed("the worker pool was stopped")
        if self._tasks:
            raise RuntimeError("a worker pool can be started only once; make another with `AsyncBroker.workers`")
        self._loop = asyncio.get_running_loop()
        self._heartbeat = self.queue.threads.clock.alarm(self._beat)
        self._tasks = [
            self._loop.create_task(self._work(worker), name=f"lightbroker-{self.queue.name}-{worker}")
            for worker in range(self._concurrency)
        ]
        self._arm()
        return self

    @property
    def current(self) -> bool:
        """Whether the caller is one of its handlers."""
        return asyncio.current_task() in self._tasks

    async def busy(self) -> bool:
        """Whether the pool runs and its queue holds messages to do, now or later."""
        running = any(not task.done() for task in self._tasks) and not (self.stopped or self._loop.is_closed())
        try:
            return running and (await self.queue.stats()).held > 0
        except BrokerError:  # nobody can tell, and nothing can be done there
            return False

    async def stop(self, drain: bool = True, timeout: float | None = None) -> bool:
        """Pull no more. With `drain`, wait for the handlers that run, at most `timeout` seconds (None: for ever).

        What still runs then, or at once without `drain`, is cancelled and its message released for others to do; so it
        is if `stop` itself is cancelled, which is passed on when the handlers have ended. Called by a handler, a drain
        does not wait: that handler and the others finish behind it. May be called from another event loop. Returns
        whether every handler had finished.
        """
        timeout = check_timeout(timeout)
        if not self._tasks:
            self.stopped = True
            return True
        if asyncio.get_running_loop() is not self._loop:
            if self._loop.is_closed():
                return True
            there = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self.stop(drain, timeout), self._loop))
            try:
                await asyncio.wait((there,))
            except asyncio.CancelledError:
                there.cancel()
                raise
            return there.cancelled() or there.result()  # cancelled: its loop ended meanwhile, and all tasks in it
        self.stopped = True
        for worker, task in enumerate(self._tasks):
            if worker not in self._running:  # it waits for a message, and cancelling that loses none
                task.cancel()
        if self.current:
            if not drain:
                self._cancel()
            return False
        try:
            if drain:
                await asyncio.wait(self._tasks, timeout=timeout)
        finally:
            unfinished = self._cancel()
            await asyncio.wait(self._tasks)
            self._heartbeat.cancel()
        return not unfinished

    def _cancel(self) -> int:
        """Cancel the handlers that run, but not the caller; how many."""
        unfinished = [self._tasks[worker] for worker in self._running]
        for task in unfinished:
            if task is not asyncio.current_task():
                task.cancel()
        return len(unfinished)

    async def __aenter__(self) -> "AsyncWorkerPool":
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.stop(drain=error is None or isinstance(error, Exception))

    async def _work(self, worker: int) -> None:
        with self.queue.threads.wait_times.tally() as waits, self.queue.threads.handling_times.tally() as handlings:
            while not self.stopped:
                try:
                    await self._serve(worker, waits, handlings)
                except (KeyboardInterrupt, GeneratorExit):
                    raise
                except BaseException as error:  # whatever it is: nobody would take the place of this task
                    if isinstance(error, asyncio.CancelledError) and _cancelled():
                        raise
                    with suppress(Exception):  # perhaps it is the log that fails
                        log.warning("queue %s: a worker failed and tries again", self.queue.name, exc_info=True)
                    await asyncio.sleep(AGAIN)
                await asyncio.sleep(0)  # neither the pull nor the handler need have let others run

    async def _serve(self, worker: int, waits: Tally, handlings: Tally) -> None:
        try:
            self._running[worker] = delivery = await self.queue.pull()
            await self._settle(delivery, waits, handlings)
        except QueueClosed:
            self.stopped = True
        except LeaseLost:
            tell_late(self.queue.threads, delivery.message)
        finally:
            self._running.pop(worker, None)

    async def _settle(self, delivery: AsyncDelivery, waits: Tally, handlings: Tally) -> None:
        message, clock = delivery.message, self.queue.threads.clock
        if message.attempts == 1:  # the others waited for their backoff too
            waits.record(max(0.0, clock.time() - message.timestamp))
        started = clock.monotonic()
        try:
            try:
                await self._handler(message)
            finally:
                handlings.record(clock.monotonic() - started)
        except asyncio.CancelledError as error:
            if self.stopped or _cancelled():
                with suppress(Exception):  # it is somebody else's, or will be when its lease runs out
                    await delivery.release()
                raise
            await self._failed(delivery, error)  # something that the handler awaited was cancelled
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # also SystemExit: a handler must not be able to end a worker
            await self._failed(delivery, error)
        else:
            await delivery.ack()

    async def _failed(self, delivery: AsyncDelivery, error: BaseException) -> None:
        tell_failure(self.queue.threads, delivery.message, error)
        await delivery.nack(error)

    def _arm(self) -> None:
        self._heartbeat.set(self.queue.threads.clock.monotonic() + self.queue.options.lease / 3)

    def _beat(self) -> None:
        for delivery in list(self._running.copy().values()):
            with suppress(BrokerError):  # the worker will learn of it when it settles
                self.queue.store.keep(delivery)
        if not self._loop.is_closed() and (not self.stopped or self._running):
            self._arm()


def _cancelled() -> bool:
    """Whether it is this task that was cancelled; Python 3.10 cannot tell, and takes it for granted."""
    task = asyncio.current_task()
    return bool(getattr(task, "cancelling", lambda: True)())
