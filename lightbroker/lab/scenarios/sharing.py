"""Producers and consumers in processes of their own, which share a file or a server.

Each process opens the peer and passes a few messages through to warm up. Then all processes wait for each other at a
barrier. When the producers are done, a consumer returns as soon as it finds no more messages. All processes read the
same monotonic clock of the machine, so their times can be compared.
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

PATIENCE = 60.0  #: seconds in which every process has to reach the barrier
_barrier: Barrier  # set in each process by `_join`, like the next
_producers_done: Event


class Received(NamedTuple):
    """The messages that the consumers of a run received.

    Attributes:
        bodies: The bodies, without those of the warm-up.
        elapsed_ns: Nanoseconds from the first send to the last ack.
        warmup: How many messages were sent and acked to warm up.
    """

    bodies: list[bytes]
    elapsed_ns: int
    warmup: int


def run(config: "Config", address: str, bodies: Sequence[bytes]) -> Received:
    """Pass the bodies through the system at `address`, with the producers and consumers of the configuration.

    If a process fails, the others end too, and its error is raised.
    """
    size = config.producers + config.consumers
    warmup = config.warmup // size
    context = multiprocessing.get_context("spawn")
    barrier, producers_done = context.Barrier(size), context.Event()
    with ProcessPoolExecutor(size, context, _join, (barrier, producers_done)) as pool:
        settings = config.system, address, config.batch, warmup
        producing = [pool.submit(_produce, *settings, bodies[p :: config.producers]) for p in range(config.producers)]
        consuming = [pool.submit(_consume, *settings) for _ in range(config.consumers)]
        everyone: list[Future[Any]] = [*producing, *consuming]
        for future in everyone:
            future.add_done_callback(partial(_release_after_failure, barrier, producers_done))
        for each in producing:
            each.exception()
        producers_done.set()
        raise_first(everyone)
    received, ends = zip(*(future.result() for future in consuming))
    elapsed = max(ends) - min(future.result() for future in producing)
    return Received([body for each in received for body in each], elapsed, warmup * size)


def _release_after_failure(barrier: Barrier, producers_done: Event, future: "Future[Any]") -> None:
    """If this process failed, let the others end instead of waiting for it."""
    if future.exception() is not None:
        barrier.abort()
        producers_done.set()


def raise_first(futures: "Sequence[Future[Any]]") -> None:
    """Wait for all processes, and raise the error of one that failed, if any.

    Processes that wait at the barrier for a failed one fail too. Its error is raised rather than theirs.
    """
    errors = [error for future in futures if (error := future.exception()) is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, BrokenBarrierError)):
        raise error


def _join(barrier: Barrier, producers_done: Event) -> None:
    global _barrier, _producers_done
    _barrier, _producers_done = barrier, producers_done


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
    """Send the bodies in a producer's process; return the time of the first send in nanoseconds."""
    with closing(_open(system, address, batch, warmup)) as peer:
        batches = [bodies[at : at + batch] for at in range(0, len(bodies), batch)]
        _barrier.wait(PATIENCE)
        start = time.perf_counter_ns()
        for each in batches:
            peer.send(each)
    return start


def _consume(system: str, address: str, batch: int, warmup: int) -> tuple[list[bytes], int]:
    """Receive in a consumer's process; return the bodies, and the time of the last ack in nanoseconds."""
    with closing(_open(system, address, batch, warmup)) as peer:
        seen: list[bytes] = []
        _barrier.wait(PATIENCE)
        end = time.perf_counter_ns()
        finished = False
        while True:
            if peer.work(batch, seen.append):
                end = time.perf_counter_ns()
            elif finished:
                return seen, end
            else:
                finished = _producers_done.is_set()  # then look once more: the last messages may have just come
