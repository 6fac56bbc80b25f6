"""Messages by key through the partitions of one server, with worker processes: the real thing beside `partitions.py`.

A partition is a queue. A worker process serves one, a message after the other; several may serve the same. The producer
is the calling process. The clocks of the processes are one: the machine's monotonic one.
"""

import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from threading import BrokenBarrierError
from typing import Any, NamedTuple

from lightbroker import Broker
from lightbroker.lab.peers.base import STOP

_PATIENCE = 60.0  # seconds until all must have opened their queues
_LEAD_NS = 50_000_000  # between the opening of the gate and the first planned send
_WARMUP = 50  # messages, through a queue that is each worker's own
_gate: Barrier  # set in each process by `_join`


class Handled(NamedTuple):
    """A message, which of the workers had it, and when it was planned, when it was pushed, handled and acked.

    Times are nanoseconds; `pushed` and `ended` are when push and ack returned, `started` is when the handler began. A
    message of a backlog is planned for the moment at which the workers are let go, and counts as pushed then.
    """

    body: bytes
    worker: int
    planned: int
    pushed: int
    started: int
    ended: int


def run(
    url: str,
    bodies: Sequence[bytes],
    places: Sequence[int],
    workers: Sequence[int],
    handler_s: float,
    offsets_ns: Sequence[int] | None = None,
) -> list[Handled]:
    """Pass the bodies through, and return them in the order in which their handlers began.

    places: the partition of each body; workers: the partition that each worker process serves; handler_s: how long a
    handler sleeps, as one does that waits for a database; offsets_ns: when each is sent, from the start (None: all are
    queued before it). Raises InvariantError if the server's books do not balance.
    """
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(len(workers) + 1)
    with Broker(url) as broker, ProcessPoolExecutor(len(workers), context, _join, (gate,)) as pool:
        queues = {place: broker.queue(_name(place), capacity=None) for place in sorted({*places, *workers})}
        working = [pool.submit(work, url, place, handler_s) for place in workers]
        for future in working:  # one that failed must not leave the others waiting
            future.add_done_callback(lambda future: gate.abort() if future.exception() else None)
        if offsets_ns is None:
            for place, queue in queues.items():
                queue.push_many([body for body, its in zip(bodies, places) if its == place])
        _open(gate, working)
        start = time.perf_counter_ns()
        plan: dict[bytes, int] = {}
        pushed: dict[bytes, int] = {}
        if offsets_ns is not None:
            plan = {body: start + _LEAD_NS + offset for body, offset in zip(bodies, offsets_ns)}
            for (body, at), place in zip(plan.items(), places):
                while (ahead := at - time.perf_counter_ns()) > 0:
                    time.sleep(ahead * 1e-9)
                queues[place].push(body)
                pushed[body] = time.perf_counter_ns()
        for place in workers:
            queues[place].push(STOP)
        seen = [(worker, *each) for worker, future in enumerate(working) for each in future.result()]
        broker.check()
    if offsets_ns is None:  # a worker may have begun before this process learned that all are let go
        plan = pushed = dict.fromkeys(bodies, min([start, *(started for _, _, started, _ in seen)]))
    found = [Handled(body, worker, plan[body], pushed[body], *times) for worker, body, *times in seen]
    return sorted(found, key=lambda handled: handled.started)


def work(url: str, place: int, handler_s: float) -> list[tuple[bytes, int, int]]:
    """A worker process, until STOP; returns each body, when its handler began, when it was acked."""
    with Broker(url) as broker:
        _warm_up(broker)
        queue = broker.queue(_name(place), capacity=None)
        seen: list[tuple[bytes, int, int]] = []
        _gate.wait(_PATIENCE)
        while True:
            delivery = queue.pull()
            started = time.perf_counter_ns()
            body = delivery.message.body
            if body == STOP:
                delivery.ack()
                return seen
            time.sleep(handler_s)
            delivery.ack()
            seen.append((body, started, time.perf_counter_ns()))


def _open(gate: Barrier, working: "Sequence[Future[Any]]") -> None:
    """Let everybody go; if one failed on the way here, raise its error rather than those of the others."""
    try:
        gate.wait(_PATIENCE)
    except BrokenBarrierError:
        for error in [future.exception() for future in working]:
            if error is not None and not isinstance(error, BrokenBarrierError):
                raise error from None
        raise


def _join(gate: Barrier) -> None:
    global _gate
    _gate = gate


def _name(place: int) -> str:
    return f"partition-{place}"


def _warm_up(broker: Broker) -> None:
    queue = broker.queue(f"warm-up-{os.getpid()}")
    for _ in range(_WARMUP):
        queue.push(b"warm-up")
        queue.pull().ack()
