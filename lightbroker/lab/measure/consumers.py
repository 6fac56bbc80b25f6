"""Consumers that run a handler on each message, and note when the message was received and acked.

`System.consume` only passes bodies on, which is enough to measure throughput. The consumers here also run a handler
and note the time of the ack. When the handler raises, the message comes again if the system retries, and is lost if it
does not.
"""

import itertools
import time
from functools import singledispatch

import numpy as np

from lightbroker.lab.measure.handlers import Handler
from lightbroker.lab.peers.base import System
from lightbroker.lab.peers.standard import LightBroker, QueueQueue


class Log:
    """The record of one consumer: the bodies that it received, and the times.

    Attributes:
        bodies: The bodies, in the order of their receipt.
        received: When each was received, in nanoseconds of `perf_counter_ns`.
        acked: When each was acked, likewise; 0 if it was not acked, or if the consumer runs no handler.
        record: Notes a body and the time of its receipt; for consumers that run no handler.
    """

    def __init__(self, capacity: int) -> None:
        """Make room for `capacity` receipts. Size it for the worst case: pages that are never written take no memory.

        `record` is a closure over local names, since it runs once for each message while the clock runs.
        """
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
    """Receive messages, run the handler on each and ack it, until STOP. A message whose handler raises is nacked.

    STOP is acked, but neither handled nor noted. Each system that has such a consumer registers it below.

    Raises:
        TypeError: The system has no such consumer.
    """
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
            task_done()  # queue.Queue does not retry: the message is lost
        else:
            task_done()
            acked[slot] = now()


@singledispatch
def held(system: System) -> int:
    """Count the messages that are not settled yet, including those that failed and will be delivered again.

    Raises:
        TypeError: The system does not count them.
    """
    raise TypeError(f"system: {system.name} does not count the messages that are not settled")


@held.register
def _(system: LightBroker) -> int:
    return system.queue.stats().held


@held.register
def _(system: QueueQueue) -> int:
    return system.queue.unfinished_tasks
