"""The loops that make load: a closed loop for peak throughput, an open loop for latency, and a request loop.

A closed loop sends when the system lets it. A stall of the system therefore also stops the load that would have
noticed the stall. Tene calls this coordinated omission ("How NOT to measure latency"). So the closed loop yields
throughput and no latency.

The open loop plans when each message is sent, message i at t0 + i/rate unless told otherwise, whatever the system
does. It sends late messages late, never skips one, and counts latency from the planned time.

The request loop is a closed loop that reports a latency. It is here to show what is wrong with that.

A sender sleeps until the planned time and never spins. A spinning thread would take the GIL, and one of two cores,
from the threads that are being measured. `sleep` wakes tens of microseconds late. That is part of every latency, alike
for every system, and the send lag is reported beside it.
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
from lightbroker.lab.measure.message_times import MessageTimes, OpenLoopTimes, collect
from lightbroker.lab.measure.pacer import Pacer
from lightbroker.lab.peers.base import STOP, Record, System

_LEAD_NS = 100_000_000  # nanoseconds between starting the threads and the first planned send
_LOOK_S = 0.001  # seconds between two looks at the number of unsettled messages


def closed_loop(system: System, shares: Sequence[Sequence[bytes]], records: Sequence[Record]) -> int:
    """Pass messages through as fast as the system lets them.

    The consumers are already waiting when the clock starts.

    Args:
        system: The system under test.
        shares: The bodies that each producer thread sends, one list for each.
        records: What each consumer thread does with a body, one function for each.

    Returns:
        The nanoseconds from the start of the producers until the last consumer has settled its last message.
    """
    return _closed(system, shares, [partial(system.consume, record) for record in records], drain=False)


def closed_service(system: System, shares: Sequence[Sequence[bytes]], logs: Sequence[Log], handle: Handler) -> int:
    """Pass messages through a closed loop whose consumers run `handle` on each; otherwise like `closed_loop`.

    One consumer thread runs for each log, and notes its times there. Failed messages are waited for until the system
    has delivered them again.

    Raises:
        TypeError: The system has no consumers that run a handler.
    """
    return _closed(system, shares, [partial(serve, system, handle, log) for log in logs], drain=True)


def _closed(
    system: System, shares: Sequence[Sequence[bytes]], consumers: Sequence[Callable[[], object]], *, drain: bool
) -> int:
    start_sending = Event()

    def produce(bodies: Sequence[bytes]) -> None:
        put = system.put
        start_sending.wait()
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
        start_sending.set()
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
) -> OpenLoopTimes:
    """Send messages by a plan, whatever the system does, and return the times of each message.

    Args:
        system: The system under test.
        rate: Mean rate in messages/s, of all producers together.
        messages: How many to send, dealt to the producers in turn.
        producers: Threads that send.
        consumers: Threads (of `asyncio.Queue`: tasks) that receive.
        arrivals: The shape of the plan, of `arrivals.SHAPES`.
        handle: What the consumers do with each body before they ack it. None: they only receive and ack, and the
            times of the acks are not noted.
        pacer: Wake the sender from a process of its own; for one producer.

    Raises:
        ValueError: `pacer` with more than one producer.
        TypeError: `handle` for a system that has no consumers that run a handler.
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
    return OpenLoopTimes(planned, sent_at, *collect(logs, messages, handled=handle is not None), ticked)


def request_loop(
    system: System, messages: int, clients: int, consumers: int, think: float, handle: Handler
) -> MessageTimes:
    """Measure latency as most benchmarks do: each client sends its next request after the answer to its last one.

    The planned time of a request is when it was sent. While the system stands still, no client sends, so each client
    measures one request that waited, however many would have been sent meanwhile.

    Args:
        system: The system under test.
        messages: Requests in all, dealt to the clients in turn.
        clients: Threads that send a request and wait for its answer.
        consumers: Threads that answer.
        think: Seconds that a client sleeps between an answer and its next request.
        handle: What the consumers do with each request before they answer.

    Raises:
        TypeError: The system has no consumers that run a handler.
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
    return MessageTimes(sent, sent, *collect(logs, messages, handled=True))


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
    """Send one STOP for each of the `consumers` once the producers are done, and wait for all threads.

    The STOPs are sent even if a producer failed, so that no consumer waits for ever.

    With `drain`, first wait until every message is settled, because a retried message would come after the STOPs. A
    consumer that failed ends this wait.
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
