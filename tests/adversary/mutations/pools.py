"""Mutations of the pool of threads: settling, the heartbeat, stopping."""

from tests.adversary.mutations.patching import Table

PATCHES: Table = {
    "WorkerPool._settle": [
        (
            "a stopping worker handles one more",
            """
            if self._stopping.is_set():
                delivery.release()
                return
            """,
            "",
        ),
        ("a failure is not nacked", "delivery.nack(error)", "pass"),
        ("SystemExit ends a worker", "BaseException", "Exception"),
    ],
    "WorkerPool._work": [
        ("what is done counts as running", "del self._running[worker]", ""),
        ("what runs is not known", "self._running[worker] = delivery", "self._running[worker] = Delivery()"),
        ("a store that is away ends a worker", "StoreError", "ZeroDivisionError"),
        ("a settling that fails ends a worker", "BrokerError", "LeaseLost"),
        ("a late worker dies", "LeaseLost", "ZeroDivisionError"),
    ],
    "WorkerPool._beat": [
        (
            "the heart beats once",
            """
            if not self._stopping.is_set() or self._running:
                self._arm()
            """,
            "",
        ),
        ("the heart stops with a drain", "not self._stopping.is_set() or self._running", "not self._stopping.is_set()"),
        ("the heart does not beat", "delivery.extend(self.queue.options.lease)", ""),
        ("a lost lease stops the heart", "suppress(BrokerError)", "suppress()"),
        ("a dead thread is not replaced", "not (thread.is_alive() or self.stopped)", "False"),
        ("a dead thread's lease is kept", "self._running.pop(worker, None)", ""),
    ],
    "WorkerPool.__init__": [
        ("half a pool goes on", "self._stopping.set()", ""),
    ],
    "WorkerPool.busy": [
        ("a pool stays busy without its store", "BrokerError", "ZeroDivisionError"),
    ],
    "WorkerPool.stop": [
        ("stop does not wait", "thread.join(None if until is None else max(0.0, until - time.monotonic()))", ""),
        (
            "stop waits without limit",
            "thread.join(None if until is None else max(0.0, until - time.monotonic()))",
            "thread.join()",
        ),
        ("stop does not release", "delivery.release()", ""),
        ("stop fails if a handler is faster", "suppress(BrokerError)", "suppress()"),
    ],
}
