"""A simulated queue that serves messages in the order of their arrival. Label its numbers as simulated.

With the arrivals and services of a model, it checks the theory. With measured ones, it says what a perfect queue would
have done with them, whatever their distribution.
"""

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Simulated:
    """The messages of a simulation: their waits, and how many were rejected.

    Attributes:
        wait: Seconds that each accepted message waited before its service.
        response: Seconds that each accepted message spent in the system: wait and service.
        rejected: How many messages found no room.
    """

    wait: NDArray[np.float64]
    response: NDArray[np.float64]
    rejected: int


def simulate(arrivals: ArrayLike, services: ArrayLike, servers: int = 1, places: int | None = None) -> Simulated:
    """Pass messages through one queue.

    Args:
        arrivals: When each message arrives, in the order of time, in seconds.
        services: How long each message takes its server, in seconds.
        servers: How many serve the queue.
        places: How many messages there is room for, those in service included; None is unbounded. A message that finds
            no room is rejected.

    Raises:
        ValueError: Arrivals and services differ in number, the arrivals are out of order, or there is no server.
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
    """Return how long each message waits at one server, by Lindley's recursion (1952).

    The recursion is w[n+1] = max(0, w[n] + service[n] - gap[n]). Unrolled, the wait is the height of the walk of
    `service - gap` above its lowest point so far. That takes two passes of numpy and no loop.

    Args:
        arrivals: When each message arrives, in the order of time, in any unit.
        services: How long each message takes the server, in the same unit.

    Returns:
        The waits, in the same unit.
    """
    walk = np.concatenate(([0.0], np.cumsum(services[:-1] - np.diff(arrivals))))[: arrivals.size]
    waits: NDArray[np.float64] = walk - np.minimum.accumulate(walk)
    return waits


def _by_events(
    arrivals: NDArray[np.float64], services: NDArray[np.float64], servers: int, places: int | None
) -> Simulated:
    free = [0.0] * servers  # a heap of the times at which each server has nothing more to do
    leaving: list[float] = []  # a heap of the times at which the messages in the system leave it
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
