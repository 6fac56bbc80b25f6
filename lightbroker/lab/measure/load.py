"""Load: a closed loop for peak throughput, and an open loop for latency from the planned time.

A closed loop sends when the system lets it, so a stall also stops the load that would have seen it (coordinated
omission); it therefore yields throughput and no latency. The open loop plans its messages, i for t0 + i/rate unless
told otherwise, whatever the system does; it sends late messages late instead of skipping them, and takes latency from
the plan. The request loop is the closed loop with a latency, here to show what is wrong with it.

Pacing sleeps until the planned time and never spins. A spinning thread would hold the GIL, and one of two cores,
against the threads it is to measure. What `sleep` oversleeps (tens of microseconds) is part of every latency, for
every system alike; the send lag is reported beside it.
"""

import queue
import time
from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from threading import Event
from typing import Any

import numpy as np

from lightbroker.lab.measure.arrivals import Arrivals, constant
from lightbroker.lab.measure.audit import make_bodies, number
from lightbroker.lab.measure.consumers import Log, held, serve
from lightbroker.lab.measure.handlers import Handler
from lightbroker.lab.measure.message_times import OpenLoop, Times, collect
from lightbroker.lab.measure.pacer import Pacer
from lightbroker.lab.peers.base import STOP, Record, System

_LEAD_NS = 100_000_000  # between starting the threads and the first planned send
_LOOK_S = 0.001


def closed_loop(system: System, shares: Sequence[Sequence[bytes]], records: Sequence[Record]) -> int:
    """Pass the shares through, one producer thread for each and one consumer thread for each record.

    Returns the nanoseconds from releasing the producers until the last consumer has settled its last message. The
    consumers are already waiting when the clock starts.
    """
    return _closed(system, shares, [partial(system.consume, record) for record in records], drain=False)


def closed_service(system: System, shares: Sequence[Sequence[bytes]], logs: Sequence[Log], handle: Handler) -> int:
    """The closed loop with work to do: one consumer thread for each log, which runs `handle` on every body."""
    return _closed(system, shares, [partial(serve, system, handle, log) for log in logs], drain=True)


def _closed(
    system: System, shares: Sequence[Sequence[bytes]], consumers: Sequence[Callable[[], object]], *, drain: bool
) -> int:
    gate = Event()

    def produce(bodies: Sequence[bytes]) -> None:
        put = system.put
        gate.wait()
        for body in bodies:
            put(body)

    def consume(consumer: Callable[[], object]) -> int:
        consumer()
        return time.perf_counter_ns()

    with ThreadPoolExecutor(len(shares) + len(consumers)) as pool:
        consuming = [pool.submit(consume, consumer) for consumer in consumers]
        producing = [pool.submit(produce, share) for share in shares]
        time.sleep(_LEAD_NS * 1e-9)
        start = time.perf_counter_ns()
        gate.set()
        _stop_after(producing, system, consuming, len(consumers), drain=drain)
        return max(future.result() for future in consuming) - start


def open_loop(
    system: System,
    rate: float,
    messages: int,
    producers: int,
    consumers: int,
    *,
    arrivals: Arrivals = constant,
    handle: Handler | None = None,
    pacer: bool = False,
) -> OpenLoop:
    """Offer `messages` at a mean `rate` per second in all, dealt to the producers in turn.

    arrivals: the shape of the plan; handle: what the consumers do with each body before they ack it, which lets them
    note when (None: nothing, and no time of the ack); pacer: wake the one producer from a process of its own.
    """
    if pacer and producers != 1:
        raise ValueError(f"producers must be 1 with a pacer, not {producers}")
    bodies, offsets = make_bodies(messages), arrivals(rate, messages)
    sent = [array("q", bytes(8 * len(range(p, messages, producers)))) for p in range(producers)]
    logs = [Log(2 * messages) for _ in range(consumers)]
    ticked = np.empty(0, np.int64)

    with ThreadPoolExecutor(producers + consumers) as pool, Pacer() if pacer else nullcontext() as outside:
        if handle is None:
            consuming = system.start_consumers(pool, [log.record for log in logs])
        else:
            consuming = [pool.submit(serve, system, handle, log) for log in logs]
        planned = time.perf_counter_ns() + _LEAD_NS + offsets
        producing: list[Future[Any]]
        if outside:
            producing = [pool.submit(outside.relay, system.put, bodies, planned, sent[0])]
        else:
            shares = [(bodies[p::producers], planned[p::producers].tolist(), sent[p]) for p in range(producers)]
            producing = [pool.submit(_pace, system, *share) for share in shares]
        _stop_after(producing, system, consuming, consumers, drain=handle is not None)
        if outside:
            ticked = producing[0].result()

    sent_at = np.empty(messages, np.int64)
    for p, times in enumerate(sent):
        sent_at[p::producers] = times
    return OpenLoop(planned, sent_at, *collect(logs, messages, handled=handle is not None), ticked)


def request_loop(system: System, messages: int, clients: int, consumers: int, think: float, handle: Handler) -> Times:
    """Closed loop as most benchmarks measure latency: each client sends when its last request is answered.

    think: seconds that a client sleeps between an answer and its next request. `planned` is the time of sending: when
    the system stands still, so does the plan, and of all requests that would have waited one per client is measured.
    """
    bodies, logs = make_bodies(messages), [Log(2 * messages) for _ in range(consumers)]
    answers: list[queue.SimpleQueue[None]] = [queue.SimpleQueue() for _ in range(clients)]
    sent = np.zeros(messages, np.int64)

    def answer(body: bytes) -> None:
        handle(body)
        answers[number(body) % clients].put(None)

    def request(client: int) -> None:
        for index in range(client, messages, clients):
            sent[index] = time.perf_counter_ns()
            system.put(bodies[index])
            answers[client].get()
            time.sleep(think)

    with ThreadPoolExecutor(clients + consumers) as pool:
        consuming = [pool.submit(serve, system, answer, log) for log in logs]
        requesting = [pool.submit(request, client) for client in range(clients)]
        _stop_after(requesting, system, consuming, consumers, drain=True)
    return Times(sent, sent, *collect(logs, messages, handled=True))


def _pace(system: System, bodies: Sequence[bytes], planned: Sequence[int], sent: "array[int]") -> None:
    put, now, sleep = system.put, time.perf_counter_ns, time.sleep
    for index, body in enumerate(bodies):
        while (ahead := planned[index] - now()) > 0:
            sleep(ahead * 1e-9)
        sent[index] = now()
        put(body)


def _stop_after(
    producing: Sequence["Future[Any]"],
    system: System,
    consuming: Sequence["Future[Any]"],
    consumers: int,
    *,
    drain: bool,
) -> None:
    """Let the consumers go once the producers are done, also when one of them failed, and wait for all of them.

    drain: first wait until everything is settled, as a retry would come after STOP; a consumer that failed ends it.
    """
    try:
        for future in producing:
            future.result()
        while drain and not any(future.done() for future in consuming) and held(system):
            time.sleep(_LOOK_S)
    finally:
        for _ in range(consumers):
            system.put(STOP)
    for future in consuming:
        future.result()
