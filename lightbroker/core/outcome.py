"""What every store answers alike: the errors with their words, and what becomes of a delivery that failed."""

import random

from lightbroker.core.errors import LeaseLost, QueueClosed, QueueEmpty, QueueFull
from lightbroker.core.message import Leased
from lightbroker.core.policy import Retry


def full(name: str, capacity: int | None) -> QueueFull:
    """For a push that found no room."""
    return QueueFull(
        f"queue {name!r} is full: {capacity} messages are ready, delayed or leased; settle some, wait longer, raise "
        f"its capacity or choose another overflow policy"
    )


def empty(name: str, timeout: float | None) -> QueueEmpty:
    """For a pull that found nothing within `timeout` seconds."""
    return QueueEmpty(f"queue {name!r} had no message ready within {timeout or 0.0:g} s")


def closed(name: str, draining: bool) -> QueueClosed:
    """For a push while the queue drains, and for whatever comes after."""
    return QueueClosed(f"queue {name!r} is {'draining and takes nothing new' if draining else 'closed'}")


def lost(name: str, lease: float, delivery: Leased) -> LeaseLost:
    """For a delivery that is settled too late, or twice; `lease` is that of the queue, in seconds."""
    return LeaseLost(
        f"the lease {delivery.receipt!r} on queue {name!r} is over: it was settled before, or it ran out after "
        f"{lease:g} s and the message is somebody else's; extend it in time, or lease longer"
    )


def some_lost(late: int, total: int, first: LeaseLost) -> LeaseLost:
    """For a batch of acks of which some came too late."""
    return LeaseLost(f"{late} of {total} acks came too late. {first}")


def lease_expired(lease: float) -> str:
    """The error that a failure is given when the lease of `lease` seconds ran out."""
    return f"LeaseExpired: not settled within {lease:g} s"


def retry_wait(attempts: int, delay: float | None, retry: Retry, rng: random.Random) -> float | None:
    """Seconds until delivery number `attempts`, which failed, is followed by another; None if it was the last.

    delay: what the consumer asked for (None: the backoff of the queue).
    """
    if attempts >= retry.max_attempts:
        return None
    return retry.delay(attempts, rng) if delay is None else delay
