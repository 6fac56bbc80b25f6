"""A simulated queue: first come, first served. What it returns is simulated, never measured; say so beside the number.

With the arrivals and services of a model it checks the theory; with measured ones it says what a perfect queue would
have made of them, whatever their distribution.
"""

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Simulated:
    """Seconds in the queue and in the system, of the messages that were accepted, and how many were rejected."""

    wait: NDArray[np.float64]
    response: NDArray[np.float64]
    rejected: int


def simulate(arrivals: ArrayLike, services: ArrayLike, servers: int = 1, places: int | None = None) -> Simulated:
    """Pass messages that arrive at `arrivals` and need `services` (both in seconds) through one queue.

    servers: how many serve it; places: how many it holds, those in service included (None: without bound); an arrival
    that finds none is rejected. Raises ValueError if the two differ in length or the arrivals are out of order.
    """
    at, needs = np.asarray(arrivals, dtype=float), np.asarray(services, dtype=float)
    if at.shape != needs.shape or at.ndim != 1:
        raise ValueError(f"services must be as many as arrivals, {at.size}, not {needs.size}")
    if (np.diff(at) < 0).any():
        raise ValueError("arrivals must be in the order of time")
    if servers < 1:
        raise ValueError(f"servers must be at least 1, not {servers!r}")
    if servers == 1 and places is None:
        wait = lindley(at, needs)
        return Simulated(wait, wait + needs, 0)
    return _by_events(at, needs, servers, places)


def lindley(arrivals: NDArray[np.float64], services: NDArray[np.float64]) -> NDArray[np.float64]:
    """Waits at one server, by Lindley's recursion w[n+1] = max(0, w[n] + service[n] - gap[n]) (1952).

    Unrolled, it is the walk of `service - gap` above its lowest point so far: two passes of numpy and no loop.
    """
    walk = np.concatenate(([0.0], np.cumsum(services[:-1] - np.diff(arrivals))))[: arrivals.size]
    waits: NDArray[np.float64] = walk - np.minimum.accumulate(walk)
    return waits


def _by_events(
    arrivals: NDArray[np.float64], services: NDArray[np.float64], servers: int, places: int | None
) -> Simulated:
    free = [0.0] * servers  # when each server is done with what it has, earliest first
    leaving: list[float] = []
    waits, responses, rejected = [], [], 0
    for now, need in zip(arrivals.tolist(), services.tolist(), strict=True):
        while leaving and leaving[0] <= now:
            heapq.heappop(leaving)
        if places is not None and len(leaving) >= places:
            rejected += 1
            continue
        start = max(now, free[0])
        heapq.heapreplace(free, start + need)
        heapq.heappush(leaving, start + need)
        waits.append(start - now)
        responses.append(start + need - now)
    return Simulated(np.asarray(waits), np.asarray(responses), rejected)
