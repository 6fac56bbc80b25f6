"""What one process measures of a queue with an event loop on one side or on both."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from lightbroker.lab.measure.audit import audit, make_bodies
from lightbroker.lab.measure.memory import freeze
from lightbroker.lab.measure.results import Config, Measurement
from lightbroker.lab.peers.base import STOP
from lightbroker.lab.peers.event_loops import LOOPS, LoopPeer

Pass = Callable[[LoopPeer, Sequence[bytes], list[bytes]], Coroutine[Any, Any, int]]


def async_cycle(config: Config) -> Measurement:
    """Push, pull and ack one message at a time in one loop, which always finds one at hand; µs a message."""
    elapsed, found = _measure(config, _in_one_loop, stops=0)
    return Measurement(elapsed / 1e3 / config.messages, "µs/message", found)


def thread_to_loop(config: Config) -> Measurement:
    """A thread pushes what a coroutine pulls and acks, through a queue with a bound; messages/s."""
    elapsed, found = _measure(config, _from_thread, stops=1)
    return Measurement(config.messages / elapsed * 1e9, "messages/s", found)


def loop_to_thread(config: Config) -> Measurement:
    """A coroutine pushes what a thread pulls and acks, through a queue with a bound; messages/s."""
    elapsed, found = _measure(config, _into_thread, stops=1)
    return Measurement(config.messages / elapsed * 1e9, "messages/s", found)


def _measure(config: Config, pass_on: Pass, stops: int) -> tuple[int, Any]:
    async def run(bodies: Sequence[bytes]) -> tuple[int, Any]:
        freeze()
        peer, seen = LOOPS[config.system](config.capacity), list[bytes]()
        elapsed = await pass_on(peer, bodies, seen)
        peer.check()
        acked = peer.acked(len(bodies) + stops)
        peer.close()
        return elapsed, audit(len(bodies), seen, None if acked is None else acked - stops)

    asyncio.run(run(make_bodies(config.warmup)))
    return asyncio.run(run(make_bodies(config.messages)))


async def _in_one_loop(peer: LoopPeer, bodies: Sequence[bytes], seen: list[bytes]) -> int:
    start = time.perf_counter_ns()
    await peer.pass_on(bodies, seen.append)
    return time.perf_counter_ns() - start


async def _from_thread(peer: LoopPeer, bodies: Sequence[bytes], seen: list[bytes]) -> int:
    sending = threading.Thread(target=peer.send_from_thread, args=((*bodies, STOP),))
    receiving = asyncio.create_task(peer.receive(seen.append))
    await asyncio.sleep(0)  # it waits already when the clock starts
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
