"""Producers and consumers in processes of their own, which share a file or a server.

Each opens the peer and warms up by passing messages through alone; then all wait for each other. When the producers
are done, a consumer that finds nothing more returns. The clocks of the processes are one: the machine's monotonic one.
"""

import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from functools import partial
from multiprocessing.synchronize import Barrier, Event
from threading import BrokenBarrierError
from typing import TYPE_CHECKING, Any, NamedTuple

from lightbroker.lab.peers.base import Stored
from lightbroker.lab.peers.catalogue import load

if TYPE_CHECKING:  # each process loads this module, and would load numpy with that one
    from lightbroker.lab.measure.results import Config

_PATIENCE = 60.0  # seconds until all must have opened the peer
_gate: Barrier  # set in each process by `_join`
_over: Event


class Found(NamedTuple):
    """What the consumers received, in how long, and how many messages beside it warmed up."""

    received: list[bytes]
    elapsed_ns: int
    warmup: int


def run(config: "Config", address: str, bodies: Sequence[bytes]) -> Found:
    """Pass `bodies` through the system at `address`; the settings are those of the configuration."""
    size = config.producers + config.consumers
    warmup = config.warmup // size
    context = multiprocessing.get_context("spawn")
    gate, over = context.Barrier(size), context.Event()
    with ProcessPoolExecutor(size, context, _join, (gate, over)) as pool:
        settings = config.system, address, config.batch, warmup
        producing = [pool.submit(_produce, *settings, bodies[p :: config.producers]) for p in range(config.producers)]
        consuming = [pool.submit(_consume, *settings) for _ in range(config.consumers)]
        everyone: list[Future[Any]] = [*producing, *consuming]
        for future in everyone:
            future.add_done_callback(partial(_let_go, gate, over))
        for each in producing:
            each.exception()
        over.set()
        _raise_first(everyone)
    received, ends = zip(*(future.result() for future in consuming))
    elapsed = max(ends) - min(future.result() for future in producing)
    return Found([body for each in received for body in each], elapsed, warmup * size)


def _let_go(gate: Barrier, over: Event, future: "Future[Any]") -> None:
    """One that failed must not leave the others waiting."""
    if future.exception() is not None:
        gate.abort()
        over.set()


def _raise_first(futures: "Sequence[Future[Any]]") -> None:
    """Raise the error that ended the run, rather than those of the processes that waited for the one that failed."""
    errors = [error for future in futures if (error := future.exception()) is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, BrokenBarrierError)):
        raise error


def _join(gate: Barrier, over: Event) -> None:
    global _gate, _over
    _gate, _over = gate, over


def _open(system: str, address: str, batch: int, warmup: int) -> Stored:
    kind = load(system)
    assert issubclass(kind, Stored)
    peer = kind(address)
    bodies = [b"warm-up"] * warmup
    if batch == 1:
        peer.cycle(bodies, bytes)
    else:
        peer.batch([bodies[at : at + batch] for at in range(0, warmup, batch)], bytes)
    return peer


def _produce(system: str, address: str, batch: int, warmup: int, bodies: Sequence[bytes]) -> int:
    """Returns the time of the first send."""
    with closing(_open(system, address, batch, warmup)) as peer:
        batches = [bodies[at : at + batch] for at in range(0, len(bodies), batch)]
        _gate.wait(_PATIENCE)
        start = time.perf_counter_ns()
        for each in batches:
            peer.send(each)
    return start


def _consume(system: str, address: str, batch: int, warmup: int) -> tuple[list[bytes], int]:
    """Returns what was received and the time when the last of it was settled."""
    with closing(_open(system, address, batch, warmup)) as peer:
        seen: list[bytes] = []
        _gate.wait(_PATIENCE)
        end = time.perf_counter_ns()
        finished = False
        while True:
            if peer.work(batch, seen.append):
                end = time.perf_counter_ns()
            elif finished:
                return seen, end
            else:
                finished = _over.is_set()
