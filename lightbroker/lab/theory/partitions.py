"""Partitions, groups and replicas: what keys, members and quorums make of a service time. The waits are simulated.

A partition is a queue with one server. Its messages are those of its keys, so how they are spread decides who waits.
What comes from `waits`, `hottest` and `quorum` is simulated, never measured; say so beside the number.
"""

import hashlib
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightbroker.lab.theory.simulation import lindley

Times = NDArray[np.float64]


def zipf(keys: int, exponent: float) -> NDArray[np.float64]:
    """The share of each of so many keys, the most frequent first: key n has 1/n to the exponent of the first one's.

    An exponent of 0 makes them alike; words, cities and instruments of an exchange are often near 1.
    """
    if keys < 1:
        raise ValueError(f"keys must be at least 1, not {keys!r}")
    if not exponent >= 0:
        raise ValueError(f"exponent must not be negative, not {exponent!r}")
    weights = np.arange(1, keys + 1) ** -float(exponent)
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def place(key: str, partitions: int) -> int:
    """The partition of a key, the same in every process: `hash(key)` is salted anew in each."""
    return zlib.crc32(key.encode()) % partitions


def owner(partition: int, members: Sequence[str]) -> str:
    """The member that works on a partition: whose hash with it is highest (rendezvous hashing).

    Everybody who knows the members finds the same, and when one leaves, only its own partitions move, to all others
    alike. A checksum would not do: CRC is linear, and what one member leaves would mostly go to the same other.
    """
    return max(members, key=lambda member: hashlib.sha256(f"{partition} {member}".encode()).digest())


def spread(keys: Sequence[str], shares: ArrayLike, partitions: int) -> NDArray[np.float64]:
    """The share of each partition, from the share of each key."""
    if partitions < 1:
        raise ValueError(f"partitions must be at least 1, not {partitions!r}")
    places = [place(key, partitions) for key in keys]
    return np.bincount(places, np.asarray(shares, dtype=float), partitions).astype(float)


def waits(places: ArrayLike, arrivals: ArrayLike, services: ArrayLike) -> Times:
    """The wait of each message, in its partition, one after the other in the order of arrival: simulated.

    places: the partition of each message; arrivals and services in one unit, which is that of the waits.
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


def hottest(load: float, services: ArrayLike, messages: int, rng: np.random.Generator) -> Times:
    """The waits in one partition at that load, Poisson arrivals, services drawn from `services`: simulated.

    If each message draws its key by itself, a partition's messages are a Poisson process of their own, and those of the
    other partitions need not be simulated. At a load of 1 or more the waits grow with the number of messages.
    """
    if not load > 0:
        raise ValueError(f"load must be positive, not {load!r}")
    sample = np.asarray(services, dtype=float)
    arrivals = rng.exponential(sample.mean() / load, messages).cumsum()
    return lindley(arrivals, rng.choice(sample, messages))


def quorum(latencies: ArrayLike, needed: int) -> Times:
    """When `needed` of the replicas have answered; a row of `latencies` is a write, a column a replica."""
    answers = np.asarray(latencies, dtype=float)
    if answers.ndim != 2 or not 1 <= needed <= answers.shape[1]:
        raise ValueError(f"needed must be from 1 to the number of replicas, not {needed!r}")
    found: Times = np.sort(answers, axis=1)[:, needed - 1]
    return found
