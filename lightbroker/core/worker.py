"""A pool of threads that pull, run a handler and settle. It keeps long work leased, and stops without losing any."""

import inspect
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from lightbroker.core.errors import BrokerError, LeaseLost, QueueClosed, QueueEmpty, StoreError, check_count
from lightbroker.core.histogram import Tally
from lightbroker.core.message import Delivery, Message
from lightbroker.core.queue import Queue, check_timeout

log = logging.getLogger(__name__)

AGAIN = 1.0  #: seconds after which a worker that could not use its store tries again
_POLL = 0.2  # seconds after which an idle worker looks whether it should stop


def check_pool(handler: object, workers: object) -> None:
    """Raise what `WorkerPool` raises for an argument that makes no sense."""
    if not callable(handler):
        raise TypeError(f"handler must be callable, not {handler!r}")
    if inspect.iscoroutinefunction(handler):
        raise TypeError("handler is async, and a worker thread has no event loop: use AsyncBroker(broker).workers")
    check_count("workers", workers)


def about(queue: Queue, message: Message) -> dict[str, object]:
    """Return the fields of a log record on a message, for `extra`: `queue`, `message_id` and `attempt`."""
    return {"queue": queue.name, "message_id": message.id, "attempt": message.attempts}


def tell_late(queue: Queue, message: Message) -> None:
    """Log that a handler was too slow to settle its message."""
    log.warning(
        "queue %s: message %s, attempt %d was done but its lease was over; it will be delivered again",
        *(queue.name, message.id, message.attempts),
        extra=about(queue, message),
    )


def tell_trouble(queue: Queue) -> None:
    """Log the error of a store that cannot be used; for an `except` block."""
    log.warning("queue %s: its store cannot be used", queue.name, exc_info=True, extra={"queue": queue.name})


def tell_failure(queue: Queue, message: Message, error: BaseException) -> None:
    """Log what a handler raised, as a warning if that was the last attempt."""
    last = message.attempts >= queue.options.retry.max_attempts
    log.log(
        logging.WARNING if last else logging.INFO,
        "queue %s: message %s, attempt %d failed: %r; %s",
        *(queue.name, message.id, message.attempts, error),
        "that was the last" if last else "it will be tried again",
        extra=about(queue, message),
    )


class WorkerPool:
    """Threads that run `handler(message)` for each message of a queue. `Broker.workers` makes pools.

    A worker acks when the handler returns, and nacks with the traceback when it raises. While a handler runs, its lease
    is extended every third of its length, so long work is not delivered twice. As a context manager the pool stops with
    a drain.

    An exception that is thrown into a worker from outside (`PyThreadState_SetAsyncExc`) is the handler's failure if it
    hits the handler. Anywhere else it ends the thread. The message that the thread held is then settled, or delivered
    again when its lease expires, and the next heartbeat starts another thread in its place.
    """

    def __init__(self, queue: Queue, handler: Callable[[Message], object], workers: int = 4) -> None:
        check_pool(handler, workers)
        self.queue = queue
        self._handler = handler
        self._now, self._time = queue.clock.monotonic, queue.clock.time
        self._stopping = threading.Event()
        self._running: dict[int, Delivery] = {}
        self._threads: list[threading.Thread] = []
        self._heartbeat = queue.clock.alarm(self._beat)
        self._arm()
        try:
            for worker in range(workers):
                self._threads.append(self._start(worker))
        except RuntimeError:  # there are no more threads, and nobody will have this pool to stop it
            self._stopping.set()
            raise

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    @property
    def current(self) -> bool:
        """Whether the caller is one of the pool's own handlers."""
        return threading.current_thread() in self._threads

    @property
    def busy(self) -> bool:
        """Whether the pool runs and its queue holds messages, ready, delayed or leased."""
        try:
            return not self.stopped and self.queue.stats().held > 0
        except BrokerError:  # what the store holds stays in it
            tell_trouble(self.queue)
            return False

    def stop(self, drain: bool = True, timeout: float | None = None) -> bool:
        """Pull no more.

        A handler that stops its own pool does not wait for it: that handler and the others finish afterwards.

        Args:
            drain: Whether to wait for the handlers that run. Without, and for those that still run after `timeout`,
                their messages are released for other consumers, and their own acks will come too late.
            timeout: Seconds to wait (None: for ever).

        Returns:
            Whether every handler had finished.
        """
        timeout = check_timeout(timeout)
        self._stopping.set()
        until = None if timeout is None else time.monotonic() + timeout
        if drain:
            if self.current:
                return False
            for thread in self._threads:
                thread.join(None if until is None else max(0.0, until - time.monotonic()))
        self._heartbeat.cancel()
        unfinished = list(self._running.copy().values())
        for delivery in unfinished:
            with suppress(BrokerError):  # settled at this moment, or the store cannot be used and the lease will expire
                delivery.release()
        return not unfinished

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.stop()

    def _start(self, worker: int) -> threading.Thread:
        name = f"lightbroker-{self.queue.name}-{worker}"
        thread = threading.Thread(target=self._run, args=(worker,), name=name, daemon=True)
        thread.start()
        return thread

    def _run(self, worker: int) -> None:
        with self.queue.wait_times.tally() as waits, self.queue.handling_times.tally() as handlings:
            self._work(worker, waits, handlings)

    def _work(self, worker: int, waits: Tally, handlings: Tally) -> None:
        while not self._stopping.is_set():
            try:
                delivery = self.queue.pull(_POLL)
            except QueueEmpty:
                continue
            except QueueClosed:
                return
            except StoreError:
                tell_trouble(self.queue)
                self._stopping.wait(AGAIN)
                continue
            self._running[worker] = delivery
            try:
                self._settle(delivery, waits, handlings)
            except LeaseLost:
                tell_late(self.queue, delivery.message)
            except BrokerError:  # not settled: the message is delivered again when its lease expires
                tell_trouble(self.queue)
            finally:
                del self._running[worker]

    def _settle(self, delivery: Delivery, waits: Tally, handlings: Tally) -> None:
        if self._stopping.is_set():
            delivery.release()
            return
        message, now = delivery.message, self._now
        if message.attempts == 1:  # later deliveries waited for their backoff too
            waited = self._time() - message.timestamp
            waits.record(waited if waited > 0.0 else 0.0)
        started = now()
        try:
            try:
                self._handler(message)
            finally:
                handlings.record(now() - started)
        except BaseException as error:  # SystemExit too: a handler must not be able to end a worker
            tell_failure(self.queue, message, error)
            delivery.nack(error)
        else:
            delivery.ack()

    def _arm(self) -> None:
        self._heartbeat.set(self.queue.clock.monotonic() + self.queue.options.lease / 3)

    def _beat(self) -> None:
        try:
            for worker, thread in enumerate(self._threads):
                if not (thread.is_alive() or self.stopped):
                    self._running.pop(worker, None)
                    self._threads[worker] = self._start(worker)
            for delivery in list(self._running.copy().values()):
                with suppress(BrokerError):  # the worker learns of it when it settles
                    delivery.extend(self.queue.options.lease)
        finally:
            if not self._stopping.is_set() or self._running:
                self._arm()
