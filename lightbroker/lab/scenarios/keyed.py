"""Messages with keys, partitions, and worker processes: what `theory.partitions` simulates, with a real server.

A partition is a queue. A worker process serves one partition, one message after the other. Several workers may serve
the same partition. The calling process is the producer. All processes read the same monotonic clock of the machine, so
their times can be compared.
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
from lightbroker.lab.scenarios.sharing import PATIENCE, raise_first

_LEAD_NS = 50_000_000  # nanoseconds between the start of the workers and the first planned send
_WARMUP = 50  # messages through a queue of each worker's own
_barrier: Barrier  # set in each process by `_join`


class Handled(NamedTuple):
    """One message, its worker and its times. Times are nanoseconds of `perf_counter_ns`.

    Attributes:
        body: Its body.
        worker: Which worker handled it, from 0 on.
        planned: When it should have been pushed. If all messages were queued at first, when the workers started.
        pushed: When the push returned. If all messages were queued at first, the same as `planned`.
        started: When its handler began.
        ended: When the ack returned.
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
    """Pass the bodies through partitions.

    If a worker fails, the others end too, and its error is raised.

    Args:
        url: Of a store that processes can share.
        bodies: The messages, all different.
        places: The partition of each body.
        workers: The partition that each worker process serves.
        handler_s: Seconds that a handler sleeps, as one does that waits for a database.
        offsets_ns: When to push each body, in nanoseconds from the start; None queues all bodies before the start.

    Returns:
        The messages in the order in which their handlers began.

    Raises:
        InvariantError: The server's counts contradict each other.
    """
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(len(workers) + 1)
    with Broker(url) as broker, ProcessPoolExecutor(len(workers), context, _join, (barrier,)) as pool:
        queues = {place: broker.queue(_name(place), capacity=None) for place in sorted({*places, *workers})}
        working = [pool.submit(work, url, place, handler_s) for place in workers]
        for future in working:  # the others must not wait for a worker that failed
            future.add_done_callback(lambda future: barrier.abort() if future.exception() else None)
        if offsets_ns is None:
            for place, queue in queues.items():
                queue.push_many([body for body, its in zip(bodies, places) if its == place])
        _start(barrier, working)
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
    if offsets_ns is None:  # a worker may have begun before this process passed the barrier
        plan = pushed = dict.fromkeys(bodies, min([start, *(started for _, _, started, _ in seen)]))
    found = [Handled(body, worker, plan[body], pushed[body], *times) for worker, body, *times in seen]
    return sorted(found, key=lambda handled: handled.started)


def work(url: str, place: int, handler_s: float) -> list[tuple[bytes, int, int]]:
    """Serve one partition until STOP; return each body, when its handler began, and when it was acked."""
    with Broker(url) as broker:
        _warm_up(broker)
        queue = broker.queue(_name(place), capacity=None)
        seen: list[tuple[bytes, int, int]] = []
        _barrier.wait(PATIENCE)
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


def _start(barrier: Barrier, working: "Sequence[Future[Any]]") -> None:
    """Start the workers when all of them are ready; if one failed before, raise its error."""
    try:
        barrier.wait(PATIENCE)
    except BrokenBarrierError:
        raise_first(working)
        raise


def _join(barrier: Barrier) -> None:
    global _barrier
    _barrier = barrier


def _name(place: int) -> str:
    return f"partition-{place}"


def _warm_up(broker: Broker) -> None:
    queue = broker.queue(f"warm-up-{os.getpid()}")
    for _ in range(_WARMUP):
        queue.push(b"warm-up")
        queue.pull().ack()
