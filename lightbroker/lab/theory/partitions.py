"""Partitions by key, consumer groups, and replicas.

A partition is a queue with one server. A message goes to the partition of its key, so the spread of the keys decides
how long each message waits.

`waits`, `hottest` and `quorum` simulate; they measure nothing. Label their numbers as simulated.
"""

import hashlib
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightbroker.lab.theory.simulation import lindley

Floats = NDArray[np.float64]


def zipf(keys: int, exponent: float) -> Floats:
    """Return the share of the messages that each key has by Zipf's law, the most frequent key first.

    The share of key n is that of the first key, divided by n to the power of the exponent. An exponent of 0 gives every
    key the same share. Words, cities and the instruments of an exchange often have an exponent near 1.

    Args:
        keys: The number of keys.
        exponent: Not negative.

    Raises:
        ValueError: No key, or a negative exponent.
    """
    if keys < 1:
        raise ValueError(f"keys must be at least 1, not {keys!r}")
    if not exponent >= 0:
        raise ValueError(f"exponent must not be negative, not {exponent!r}")
    weights = np.arange(1, keys + 1) ** -float(exponent)
    shares: Floats = weights / weights.sum()
    return shares


def place(key: str, partitions: int) -> int:
    """Return the partition of a key. It is the same in every process, while `hash(key)` has another salt in each."""
    return zlib.crc32(key.encode()) % partitions


def owner(partition: int, members: Sequence[str]) -> str:
    """Return the member that works on a partition: the one whose hash together with it is highest.

    This is rendezvous hashing. Every process that knows the members finds the same owner. When a member leaves, only
    its own partitions move, and they spread evenly over the other members. A checksum would not spread them: CRC is
    linear, so most of them would move to the same member.
    """
    return max(members, key=lambda member: hashlib.sha256(f"{partition} {member}".encode()).digest())


def spread(keys: Sequence[str], shares: ArrayLike, partitions: int) -> Floats:
    """Return the share of the messages that each partition has, given the share of each key.

    Raises:
        ValueError: No partition.
    """
    if partitions < 1:
        raise ValueError(f"partitions must be at least 1, not {partitions!r}")
    places = [place(key, partitions) for key in keys]
    return np.bincount(places, np.asarray(shares, dtype=float), partitions).astype(float)


def waits(places: ArrayLike, arrivals: ArrayLike, services: ArrayLike) -> Floats:
    """Simulate partitions that each serve one message after the other, in the order of arrival.

    Args:
        places: The partition of each message.
        arrivals: When each message arrives, in the order of time, in any unit.
        services: How long each message takes its server, in the same unit.

    Returns:
        How long each message waits before its service, in the same unit.

    Raises:
        ValueError: The three differ in length, or the arrivals are out of order.
    """
    where, at, needs = np.asarray(places), np.asarray(arrivals, dtype=float), np.asarray(services, dtype=float)
    if not where.shape == at.shape == needs.shape or at.ndim != 1:
        raise ValueError(f"places, arrivals and services must be as many, not {where.size}, {at.size}, {needs.size}")
    if (np.diff(at) < 0).any():
        raise ValueError("arrivals must be in the order of time")
    found = np.empty(at.size)
    for partition in np.unique(where):
        own = where == partition
        found[own] = lindley(at[own], needs[own])
    return found


def hottest(load: float, services: ArrayLike, messages: int, rng: np.random.Generator) -> Floats:
    """Simulate one partition with Poisson arrivals, such as the one with the most messages.

    If the messages are Poisson and each draws its key independently, the messages of one partition are Poisson too. The
    other partitions therefore need no simulation.

    Args:
        load: The share of the server's time that its messages need. At 1 or more, the waits grow with the number of
            messages.
        services: A sample of service times, in any unit, from which those of the messages are drawn.
        messages: How many to simulate.
        rng: The source of arrivals and services.

    Returns:
        How long each message waits before its service, in the unit of `services`.

    Raises:
        ValueError: The load is not positive.
    """
    if not load > 0:
        raise ValueError(f"load must be positive, not {load!r}")
    sample = np.asarray(services, dtype=float)
    arrivals = rng.exponential(sample.mean() / load, messages).cumsum()
    return lindley(arrivals, rng.choice(sample, messages))


def quorum(latencies: ArrayLike, needed: int) -> Floats:
    """Return how long each write takes until `needed` replicas have answered it.

    Args:
        latencies: A row for each write and a column for each replica, in any unit.
        needed: From 1 to the number of replicas.

    Returns:
        The time of each write, in the same unit.

    Raises:
        ValueError: `needed` is out of range.
    """
    answers = np.asarray(latencies, dtype=float)
    if answers.ndim != 2 or not 1 <= needed <= answers.shape[1]:
        raise ValueError(f"needed must be from 1 to the number of replicas, not {needed!r}")
    found: Floats = np.sort(answers, axis=1)[:, needed - 1]
    return found
