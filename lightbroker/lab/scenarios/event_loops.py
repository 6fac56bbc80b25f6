"""Scenarios of a queue with an event loop on one side or on both.

The warm-up goes through a queue of its own.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from lightbroker.lab.measure.audit import Audit, audit, make_bodies
from lightbroker.lab.measure.memory import freeze
from lightbroker.lab.measure.results import Config, Measurement
from lightbroker.lab.peers.base import STOP
from lightbroker.lab.peers.event_loops import LOOPS, LoopPeer

# Passes the bodies through a peer, keeps in the list what was received, and returns nanoseconds.
_Pass = Callable[[LoopPeer, Sequence[bytes], list[bytes]], Coroutine[Any, Any, int]]


def async_cycle(config: Config) -> Measurement:
    """Measure the cost of push, pull and ack, one message at a time in one event loop; µs/message.

    The loop never has to wait for a message.
    """
    return Measurement.cost(*_measure(config, _in_one_loop, stops=0))


def thread_to_loop(config: Config) -> Measurement:
    """Measure the throughput of a thread that pushes what a coroutine pulls and acks; messages/s."""
    return Measurement.throughput(*_measure(config, _from_thread, stops=1))


def loop_to_thread(config: Config) -> Measurement:
    """Measure the throughput of a coroutine that pushes what a thread pulls and acks; messages/s."""
    return Measurement.throughput(*_measure(config, _into_thread, stops=1))


def _measure(config: Config, pass_on: _Pass, stops: int) -> tuple[int, int, Audit]:
    """Warm up and measure; return the nanoseconds, the number of messages, and the audit.

    `stops` is how many STOPs `pass_on` sends beside the messages.
    """

    async def run(bodies: Sequence[bytes]) -> tuple[int, int, Audit]:
        freeze()
        peer, seen = LOOPS[config.system](config.capacity), list[bytes]()
        elapsed = await pass_on(peer, bodies, seen)
        peer.check()
        acked = peer.acked(len(bodies) + stops)
        peer.close()
        return elapsed, len(bodies), audit(len(bodies), seen, None if acked is None else acked - stops)

    asyncio.run(run(make_bodies(config.warmup)))
    return asyncio.run(run(make_bodies(config.messages)))


async def _in_one_loop(peer: LoopPeer, bodies: Sequence[bytes], seen: list[bytes]) -> int:
    start = time.perf_counter_ns()
    await peer.pass_on(bodies, seen.append)
    return time.perf_counter_ns() - start


async def _from_thread(peer: LoopPeer, bodies: Sequence[bytes], seen: list[bytes]) -> int:
    sending = threading.Thread(target=peer.send_from_thread, args=((*bodies, STOP),))
    receiving = asyncio.create_task(peer.receive(seen.append))
    await asyncio.sleep(0)  # the receiving task is waiting when the clock starts
    start = time.perf_counter_ns()
    sending.start()
    await receiving
    elapsed = time.perf_counter_ns() - start
    sending.join()
    return elapsed


async def _into_thread(peer: LoopPeer, bodies: Sequence[bytes], seen: list[bytes]) -> int:
    ended: list[int] = []

    def receive() -> None:
        peer.receive_in_thread(seen.append)
        ended.append(time.perf_counter_ns())

    receiving = threading.Thread(target=receive)
    receiving.start()
    start = time.perf_counter_ns()
    await peer.send((*bodies, STOP))
    await asyncio.to_thread(receiving.join)
    return ended[0] - start
