"""Load: a closed loop for peak throughput, and an open loop for latency from the planned time.

A closed loop sends when the system lets it, so a stall also stops the load that would have seen it (coordinated
omission); it therefore yields throughput and no latency. The open loop plans message i for t0 + i/rate whatever the
system does, sends late messages late instead of skipping them, and takes latency from the plan.

Pacing sleeps until the planned time and never spins. A spinning thread would hold the GIL, and one of two cores,
against the threads it is to measure. What `sleep` oversleeps (tens of microseconds) is part of every latency, for
every system alike; the send lag is reported beside it.
"""

import itertools
import time
from array import array
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

import numpy as np
from numpy.typing import NDArray

from lightbroker.lab.audit import make_bodies, numbers
from lightbroker.lab.peers.base import STOP, Record, System

_LEAD_NS = 100_000_000  # between starting the threads and the first planned send
_NEVER_RECEIVED = 0


def closed_loop(system: System, shares: Sequence[Sequence[bytes]], records: Sequence[Record]) -> int:
    """Pass the shares through, one producer thread for each and one consumer thread for each record.

    Returns the nanoseconds from releasing the producers until the last consumer has settled its last message. The
    consumers are already waiting when the clock starts.
    """
    gate = Event()

    def produce(bodies: Sequence[bytes]) -> None:
        put = system.put
        gate.wait()
        for body in bodies:
            put(body)

    def consume(record: Record) -> int:
        system.consume(record)
        return time.perf_counter_ns()

    with ThreadPoolExecutor(len(shares) + len(records)) as pool:
        consumers = [pool.submit(consume, record) for record in records]
        producers = [pool.submit(produce, share) for share in shares]
        time.sleep(_LEAD_NS * 1e-9)
        start = time.perf_counter_ns()
        gate.set()
        _stop_after(producers, system, len(records))
        return max(future.result() for future in consumers) - start


@dataclass(frozen=True)
class OpenLoop:
    """Times of each message, by its index, in nanoseconds of one clock; a message that never came has received 0."""

    planned: NDArray[np.int64]
    sent: NDArray[np.int64]
    received: NDArray[np.int64]
    kept: list[bytes]

    def latency(self, first: int = 0) -> NDArray[np.int64]:
        """Nanoseconds from planned to received, of the messages from index `first` on that arrived."""
        planned, received = self.planned[first:], self.received[first:]
        arrived = received != _NEVER_RECEIVED
        latency: NDArray[np.int64] = received[arrived] - planned[arrived]
        return latency

    def send_lag(self, first: int = 0) -> NDArray[np.int64]:
        """Nanoseconds from planned to sent, of the messages from index `first` on."""
        return self.sent[first:] - self.planned[first:]

    def invalid(self) -> str | None:
        """Why the run must not be used, or None: the offered load was not offered.

        The rule: in the last tenth of the plan the median send lag exceeds 1 % of the plan's duration. A stall that the
        sender catches up with is what an open loop exists to show; one that it still carries at the end means that
        it cannot send at that rate, and that the latency would grow with the duration of the run.
        """
        duration = int(self.planned[-1] - self.planned[0])
        lag = float(np.median(self.send_lag(len(self.planned) * 9 // 10)))
        if lag <= 0.01 * duration:
            return None
        return f"the sender fell behind its plan: at the end by {lag / 1e6:.1f} ms in {duration / 1e6:.0f} ms"


def open_loop(system: System, rate: float, messages: int, producers: int, consumers: int) -> OpenLoop:
    """Offer `messages` at `rate` per second in all, dealt to the producers in turn."""
    bodies = make_bodies(messages)
    sent = [array("q", bytes(8 * len(range(p, messages, producers)))) for p in range(producers)]
    logs = [_Log(2 * messages) for _ in range(consumers)]
    offsets = (np.arange(messages) * (1e9 / rate)).astype(np.int64)

    with ThreadPoolExecutor(producers + consumers) as pool:
        consuming = system.start_consumers(pool, [log.record for log in logs])
        start = time.perf_counter_ns() + _LEAD_NS
        planned = start + offsets
        shares = [(bodies[p::producers], planned[p::producers].tolist(), sent[p]) for p in range(producers)]
        producing = [pool.submit(_pace, system, *share) for share in shares]
        _stop_after(producing, system, consumers)
        for future in consuming:
            future.result()

    sent_at = np.empty(messages, np.int64)
    for p, times in enumerate(sent):
        sent_at[p::producers] = times
    received_at = np.full(messages, _NEVER_RECEIVED, np.int64)
    for log in logs:
        index = numbers(log.bodies)
        known = (index >= 0) & (index < messages)
        received_at[index[known]] = log.at[: index.size][known]
    return OpenLoop(planned, sent_at, received_at, [body for log in logs for body in log.bodies])


class _Log:
    """One consumer's record. The array is sized for the worst case; pages that are never written take no memory."""

    def __init__(self, capacity: int) -> None:
        self.at = np.zeros(capacity, np.int64)
        self.bodies: list[bytes] = []
        at, keep, step, now = self.at.data, self.bodies.append, itertools.count().__next__, time.perf_counter_ns

        def record(body: bytes) -> None:
            at[step()] = now()
            keep(body)

        self.record = record


def _pace(system: System, bodies: Sequence[bytes], planned: Sequence[int], sent: "array[int]") -> None:
    put, now, sleep = system.put, time.perf_counter_ns, time.sleep
    for index, body in enumerate(bodies):
        while (ahead := planned[index] - now()) > 0:
            sleep(ahead * 1e-9)
        sent[index] = now()
        put(body)


def _stop_after(producers: Sequence["Future[None]"], system: System, consumers: int) -> None:
    """Let the consumers go once the producers are done, also when one of them failed."""
    try:
        for future in producers:
            future.result()
    finally:
        for _ in range(consumers):
            system.put(STOP)
