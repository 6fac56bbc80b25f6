"""CPython's own tests of its queues as oracle: they run here, imported from the interpreter, against LightBroker.

`Queue` gives a LightBroker queue the interface of `queue.Queue` and `queue.SimpleQueue`.
"""

import importlib
import pickle
import queue as stdlib
import threading
import unittest
from collections import deque
from types import ModuleType, SimpleNamespace
from typing import Any

from lightbroker import Broker, Delivery, QueueClosed

ShutDown = getattr(stdlib, "ShutDown", QueueClosed)  # new in Python 3.13

ADAPTED = ("CQueueTest", "CSimpleQueueTest")
TWIN = "the same cases run once already: they test two implementations, LightBroker has one"
FIFO = "a LightBroker queue is first in, first out"
HOOKS = "it tests that a subclass may override _put and _get of queue.Queue; a LightBroker queue has no such hooks"
SKIPPED = {
    "PyQueueTest": TWIN,
    "PySimpleQueueTest": TWIN,
    "PyLifoQueueTest": FIFO,
    "CLifoQueueTest": FIFO,
    "PyPriorityQueueTest": FIFO,
    "CPriorityQueueTest": FIFO,
    "PyFailingQueueTest": HOOKS,
    "CFailingQueueTest": HOOKS,
    "CSimpleQueueTest.test_is_default": "it compares two names of the module queue with each other",
    "CSimpleQueueTest.test_references": "its items cannot be pickled; a body is bytes and holds no reference to them",
    "CSimpleQueueTest.test_reentrancy": "it needs a put that runs no Python code: a put that the garbage collector "
    "starts inside another may enter before it. That none is lost has a test of our own",
}


class Queue:
    """The interface of `queue.Queue` over a LightBroker queue; bodies are pickled.

    In a bounded `queue.Queue` the place is free after `get`, so here `get` acks. In one without a bound the lease is
    kept until `task_done` acks it, and `join` waits until nothing is held.
    """

    def __init__(self, maxsize: int = 0) -> None:
        self.maxsize = maxsize
        self._queue = Broker().queue("oracle", capacity=maxsize or None)
        self._given: deque[Delivery] = deque()
        self._done = threading.Condition()
        self.is_shutdown = False

    def put(self, item: object, block: bool = True, timeout: float | None = None) -> None:
        try:
            self._queue.push(pickle.dumps(item), timeout=timeout if block else 0)
        except QueueClosed as error:
            raise ShutDown from error

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        try:
            delivery = self._queue.pull(timeout if block else 0)
        except QueueClosed as error:
            raise ShutDown from error
        if self.maxsize:
            delivery.ack()
        self._given.append(delivery)
        self._close_if_empty()
        return pickle.loads(delivery.message.body)

    def put_nowait(self, item: object) -> None:
        self.put(item, False)

    def get_nowait(self) -> Any:
        return self.get(False)

    def qsize(self) -> int:
        return self._queue.stats().ready

    def empty(self) -> bool:
        return not self.qsize()

    def full(self) -> bool:
        return 0 < self.maxsize <= self.qsize()

    @property
    def unfinished_tasks(self) -> int:
        return self.qsize() + len(self._given)

    def task_done(self) -> None:
        with self._done:
            try:
                delivery = self._given.popleft()
            except IndexError:
                raise ValueError("task_done() called too many times") from None
            if not self.maxsize:
                delivery.ack()
            self._done.notify_all()

    def join(self) -> None:
        with self._done:
            self._done.wait_for(lambda: not self.unfinished_tasks)

    def shutdown(self, immediate: bool = False) -> None:
        self._queue.stored.refuse()
        self.is_shutdown = True
        with self._done:
            while immediate and not self.empty():
                self._queue.pull(0).ack()
            self._done.notify_all()
        self._close_if_empty()

    def _close_if_empty(self) -> None:
        if self.is_shutdown and self.empty():
            self._queue.stored.close()


def find_oracle() -> ModuleType | None:
    """The tests of the running interpreter; None if it ships without the package `test`."""
    try:
        return importlib.import_module("test.test_queue")
    except ImportError:
        return None


def cases(oracle: ModuleType) -> tuple[list[unittest.TestCase], dict[str, str]]:
    """The cases that apply, made to test `Queue`, and those that do not with the reason."""
    twin = SimpleNamespace(Queue=Queue, SimpleQueue=Queue, Full=stdlib.Full, Empty=stdlib.Empty, ShutDown=ShutDown)
    chosen, skipped = [], {}
    for name, case in vars(oracle).items():
        if not (isinstance(case, type) and issubclass(case, unittest.TestCase)):
            continue
        adapted = type(name, (case,), {"queue": twin})
        for test in unittest.defaultTestLoader.getTestCaseNames(case):
            reason = SKIPPED.get(name) or SKIPPED.get(f"{name}.{test}")
            if reason:
                skipped[f"{name}.{test}"] = reason
            else:
                chosen.append(adapted(test))
    return chosen, skipped


def run() -> dict[str, Any]:
    """Run every case that applies; how many passed, which failed with what, which were skipped and why."""
    oracle = find_oracle()
    if oracle is None:
        return {"passed": 0, "failed": {}, "skipped": {"test_queue": "the interpreter ships without the package test"}}
    chosen, skipped = cases(oracle)
    result = unittest.TestResult()
    unittest.TestSuite(chosen).run(result)
    failed = {str(case): text for case, text in (*result.failures, *result.errors)}
    return {"passed": result.testsRun - len(failed), "failed": failed, "skipped": skipped}
