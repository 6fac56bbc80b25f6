"""A pool of coroutines that pull, run an asynchronous handler and settle: the counterpart of `core.worker`.

The pool cancels its own coroutines, and each await of theirs is safe to cancel. A coroutine that waits for a message
holds none. One whose handler is cancelled releases its message. One that settles has its message settled, as
`AsyncDelivery` says.
"""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType

from lightbroker.aio.delivery import AsyncDelivery
from lightbroker.aio.queue import AsyncQueue
from lightbroker.core.clock import Alarm
from lightbroker.core.errors import BrokerError, LeaseLost, QueueClosed, check_count
from lightbroker.core.histogram import Tally
from lightbroker.core.message import Message
from lightbroker.core.queue import check_timeout
from lightbroker.core.worker import AGAIN, tell_failure, tell_late

log = logging.getLogger(__name__)


def check_workers(handler: object, concurrency: object) -> None:
    """Raise TypeError or ValueError for an argument of `AsyncWorkerPool` that makes no sense."""
    if not callable(handler):
        raise TypeError(f"handler must be callable, not {handler!r}")
    if inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
        raise TypeError(f"handler must be an async function that returns, not a generator: {handler!r}")
    check_count("concurrency", concurrency)


class AsyncWorkerPool:
    """Coroutines that await `handler(message)` for each message of a queue. Made by `AsyncBroker.workers`.

    When the handler returns, its message is acked. When it raises, the message is nacked with the traceback. While it
    runs, the lease is extended every third of its length. That is done in the thread of the clock, so even a handler
    that blocks the event loop keeps its lease.

    As an asynchronous context manager, the pool starts when the block is entered. At the end of the block it stops and
    lets the running handlers finish. If the block is cancelled, so are the handlers.

    Attributes:
        stopped: Whether the pool pulls no more, because `stop` was called or the queue is closed.
    """

    def __init__(
        self,
        open_queue: Callable[[], Awaitable[AsyncQueue]],
        handler: Callable[[Message], Awaitable[object]],
        concurrency: int = 100,
    ) -> None:
        check_workers(handler, concurrency)
        self.stopped = False
        self._open_queue = open_queue
        self._handler = handler
        self._concurrency = concurrency
        self._running: dict[int, AsyncDelivery] = {}  # what is being handled, by the number of the worker
        self._tasks: list[asyncio.Task[None]] = []  # one a worker, by its number
        self._loop: asyncio.AbstractEventLoop  # these three are set by `start`
        self._queue: AsyncQueue
        self._heartbeat: Alarm

    async def start(self) -> "AsyncWorkerPool":
        """Begin to pull, in the running event loop.

        Returns:
            The pool itself.

        Raises:
            QueueClosed: The pool was stopped, or the broker is closed.
            RuntimeError: The pool was started before.
        """
        self._queue = await self._open_queue()
        if self.stopped:
            raise QueueClosed("the worker pool was stopped")
        if self._tasks:
            raise RuntimeError("a worker pool can be started only once; make another with `AsyncBroker.workers`")
        self._loop = asyncio.get_running_loop()
        self._heartbeat = self._queue._sync_queue.clock.alarm(self._beat)
        self._tasks = [
            self._loop.create_task(self._work(worker), name=f"lightbroker-{self._queue.name}-{worker}")
            for worker in range(self._concurrency)
        ]
        self._arm()
        return self

    @property
    def _current(self) -> bool:
        """Whether the caller is one of its handlers."""
        return asyncio.current_task() in self._tasks

    async def _busy(self) -> bool:
        """Return whether the pool runs and its queue holds messages, ready now or later."""
        running = any(not task.done() for task in self._tasks) and not (self.stopped or self._loop.is_closed())
        try:
            return running and (await self._queue.stats()).held > 0
        except BrokerError:  # the store cannot be used, so the pool has nothing to do there
            return False

    async def stop(self, drain: bool = True, timeout: float | None = None) -> bool:
        """Pull no more, and end the handlers that run. May be called from any event loop.

        A handler that is cancelled releases its message, for others to do. If `stop` itself is cancelled, it cancels
        the handlers, and passes its cancellation on when they have ended. Called by a handler, `stop` does not wait,
        because it would wait for its caller.

        Args:
            drain: Whether to let the running handlers finish. If not, they are cancelled at once.
            timeout: Seconds after which the handlers that still run are cancelled (None: never).

        Returns:
            Whether every handler had finished.
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
            return there.cancelled() or there.result()  # cancelled: its loop has ended, and all tasks in it
        self.stopped = True
        for worker, task in enumerate(self._tasks):
            if worker not in self._running:  # it waits for a message, and cancelling loses none
                task.cancel()
        if self._current:
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
        """Cancel the running handlers, but not the caller; return how many run."""
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
        with (
            self._queue._sync_queue.wait_times.tally() as waits,
            self._queue._sync_queue.handling_times.tally() as handlings,
        ):
            while not self.stopped:
                try:
                    await self._serve(worker, waits, handlings)
                except (KeyboardInterrupt, GeneratorExit):
                    raise
                except BaseException as error:  # whatever it is: no other task would take the place of this one
                    if isinstance(error, asyncio.CancelledError) and _cancelled():
                        raise
                    with suppress(Exception):  # perhaps it was the log that failed
                        log.warning("queue %s: a worker failed and tries again", self._queue.name, exc_info=True)
                    await asyncio.sleep(AGAIN)
                await asyncio.sleep(0)  # let others run: neither the pull nor the handler need have done so

    async def _serve(self, worker: int, waits: Tally, handlings: Tally) -> None:
        try:
            self._running[worker] = delivery = await self._queue.pull()
            await self._settle(delivery, waits, handlings)
        except QueueClosed:
            self.stopped = True
        except LeaseLost:
            tell_late(self._queue._sync_queue, delivery.message)
        finally:
            self._running.pop(worker, None)

    async def _settle(self, delivery: AsyncDelivery, waits: Tally, handlings: Tally) -> None:
        message, clock = delivery.message, self._queue._sync_queue.clock
        if message.attempts == 1:  # a later attempt has waited for its backoff too
            waits.record(max(0.0, clock.time() - message.timestamp))
        started = clock.monotonic()
        try:
            try:
                await self._handler(message)
            finally:
                handlings.record(clock.monotonic() - started)
        except asyncio.CancelledError as error:
            if self.stopped or _cancelled():
                with suppress(Exception):  # another consumer has the message, or will when the lease runs out
                    await delivery.release()
                raise
            await self._failed(delivery, error)  # not this task, but something that its handler awaited was cancelled
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # even SystemExit: a handler must not be able to end a worker
            await self._failed(delivery, error)
        else:
            await delivery.ack()

    async def _failed(self, delivery: AsyncDelivery, error: BaseException) -> None:
        tell_failure(self._queue._sync_queue, delivery.message, error)
        await delivery.nack(error)

    def _arm(self) -> None:
        self._heartbeat.set(self._queue._sync_queue.clock.monotonic() + self._queue.options.lease / 3)

    def _beat(self) -> None:
        for delivery in list(self._running.copy().values()):
            with suppress(BrokerError):  # the worker will meet the error when it settles
                self._queue._stored.renew(delivery)
        if not self._loop.is_closed() and (not self.stopped or self._running):
            self._arm()


def _cancelled() -> bool:
    """Return whether it was the running task that was cancelled. Python 3.10 cannot tell, and assumes that it was."""
    task = asyncio.current_task()
    return bool(getattr(task, "cancelling", lambda: True)())
