"""Consumers that have work to do: receive, handle, settle, and note when.

Systems pass bodies through in `System.consume`, which is all that throughput takes. A service also runs a handler and
notes the time of the acknowledgement; a handler that raises gets the message again where the system retries, and loses
it where it does not.
"""

import itertools
import time
from functools import singledispatch

import numpy as np

from lightbroker.lab.measure.handlers import Handler
from lightbroker.lab.peers.base import System
from lightbroker.lab.peers.standard import LightBroker, QueueQueue


class Log:
    """One consumer's record: bodies in the order of receipt, and when each was received and acked (0: never).

    The arrays are sized for the worst case; pages that are never written take no memory.
    """

    def __init__(self, capacity: int) -> None:
        self.received = np.zeros(capacity, np.int64)
        self.acked = np.zeros(capacity, np.int64)
        self.bodies: list[bytes] = []
        received, keep, step, now = (
            self.received.data,
            self.bodies.append,
            itertools.count().__next__,
            time.perf_counter_ns,
        )

        def record(body: bytes) -> None:
            received[step()] = now()
            keep(body)

        self.record = record


@singledispatch
def serve(system: System, handle: Handler, log: Log) -> None:
    """Receive, handle and settle until STOP; what fails is settled as failed. Raises TypeError for other systems."""
    raise TypeError(f"system: {system.name} has no consumers that handle what they receive")


@serve.register
def _(system: LightBroker, handle: Handler, log: Log) -> None:
    pull, keep, now = system.queue.pull, log.bodies.append, time.perf_counter_ns
    received, acked = log.received.data, log.acked.data
    for slot in itertools.count():
        delivery = pull()
        received[slot] = now()
        body = delivery.message.body
        if not body:
            delivery.ack()
            return
        keep(body)
        try:
            handle(body)
        except Exception as error:
            delivery.nack(error)
        else:
            delivery.ack()
            acked[slot] = now()


@serve.register
def _(system: QueueQueue, handle: Handler, log: Log) -> None:
    get, task_done, keep, now = system.queue.get, system.queue.task_done, log.bodies.append, time.perf_counter_ns
    received, acked = log.received.data, log.acked.data
    for slot in itertools.count():
        body = get()
        received[slot] = now()
        if not body:
            task_done()
            return
        keep(body)
        try:
            handle(body)
        except Exception:
            task_done()  # nobody will get it again
        else:
            task_done()
            acked[slot] = now()


@singledispatch
def held(system: System) -> int:
    """How many messages are not settled yet, those included that failed and will come again."""
    raise TypeError(f"system: {system.name} does not tell what is under way")


@held.register
def _(system: LightBroker) -> int:
    return system.queue.stats().held


@held.register
def _(system: QueueQueue) -> int:
    return system.queue.unfinished_tasks
