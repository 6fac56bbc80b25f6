"""Mutations of what coroutines do with queues: pools of workers, closing a broker, topics."""

from tests.adversary.mutations.patching import Table

PATCHES: Table = {
    "AsyncWorkerPool.stop": [
        ("a pool does not cancel the workers that wait", "worker not in self._running", "False"),
        ("a drain does not wait", "await asyncio.wait(self._tasks, timeout=timeout)", ""),
        ("a stopped pool leaves its handlers", "unfinished = self._cancel()", "unfinished = 0"),
    ],
    "AsyncWorkerPool._settle": [
        ("a pool keeps what it cancels", "await delivery.release()", ""),
        ("what a handler raises is not nacked", "BaseException", "Exception"),
        ("a coroutine that cannot release goes on", "suppress(Exception)", "suppress(LeaseLost)"),
    ],
    "AsyncWorkerPool._beat": [
        ("a pool of coroutines lets leases run out", "self._queue._stored.renew(delivery)", ""),
        ("a pool of coroutines keeps its heart still", "self._arm()", ""),
    ],
    "AsyncWorkerPool._serve": [
        ("a late coroutine does not say so", "LeaseLost", "ZeroDivisionError"),
    ],
    "AsyncWorkerPool.start": [
        ("a pool of coroutines starts twice", "self._tasks", "False"),
    ],
    "AsyncWorkerPool._work": [
        ("a coroutine that cannot settle dies", "isinstance(error, asyncio.CancelledError) and _cancelled()", "True"),
        ("a coroutine dies of its log", "suppress(Exception)", "suppress(ZeroDivisionError)"),
    ],
    "AsyncWorkerPool._busy": [
        ("a store that is away keeps its pool busy", "BrokerError", "ZeroDivisionError"),
        ("a pool without tasks is busy", "any(not task.done() for task in self._tasks)", "bool(self._tasks)"),
    ],
    "AsyncBroker.close": [
        ("of two closes at once, one raises", "suppress(QueueClosed)", "suppress(ZeroDivisionError)"),
        (
            "a handler closes what it needs",
            """
            if callers_pool is None:
                await self._finish(drain, until)
            else:
                await callers_pool.stop(drain)
                self._closing.append(asyncio.create_task(self._finish(drain, until, callers_pool)))
            """,
            """
            if True:
                await self._finish(drain, until)
            else:
                await callers_pool.stop(drain)
                self._closing.append(asyncio.create_task(self._finish(drain, until, callers_pool)))
            """,
        ),
    ],
    "AsyncBroker._finish": [
        ("a handler that closes is cancelled", "drain or pool is callers_pool", "drain"),
    ],
    "AsyncSubscription.get": [
        (
            "a reader of a topic does not wait",
            "await attempt(subscription.buffer.pullers, take, timeout)",
            "subscription.take()",
        ),
    ],
    "AsyncSubscription._opened": [
        ("a cancelled subscriber listens on", "self._broker.executor.submit(self._end)", ""),
    ],
    "push_when_room": [
        ("a publisher does not wait", "attempt(buffer.pushers, push, None)", "push()"),
    ],
}
