"""The exceptions of LightBroker: what they are, how they are worded, and the checks that raise them for an argument."""

import math
import queue
import re
from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import TypeVar

T = TypeVar("T")

MAX_NAME = 255
_CREDENTIALS = re.compile(r"^([a-z][a-z0-9+.-]*:(?://)?)?.*@", re.DOTALL | re.IGNORECASE)


class BrokerError(Exception):
    """The base of every error that LightBroker raises on its own account."""


class PushError(BrokerError):
    """A push was not accepted.

    Attributes:
        accepted: The ids of the messages of a batch that entered before; they stay accepted.
    """

    def __init__(self, text: str, accepted: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.accepted = accepted


class QueueFull(PushError, queue.Full):
    """The queue has no room, and its policy is to raise."""


class QueueEmpty(BrokerError, queue.Empty):
    """No message became ready within the time-out."""


class QueueClosed(PushError):
    """The queue, subscription or broker is closed, or it drains and takes nothing new."""


class LeaseLost(BrokerError):
    """The lease is over: the message was settled before, or its lease expired and another consumer may have it."""


class StoreError(BrokerError):
    """The store behind the broker cannot be used."""


class InvariantError(BrokerError):
    """The conservation law does not hold: a bug in LightBroker or in a store."""


# What every store answers in the same words.


def full(name: str, capacity: int | None) -> QueueFull:
    """Return the error for a push that found no room."""
    return QueueFull(
        f"queue {name!r} is full: {capacity} messages are ready, delayed or leased; settle some, wait longer, raise "
        f"its capacity or choose another overflow policy"
    )


def empty(name: str, timeout: float | None) -> QueueEmpty:
    """Return the error for a pull that found nothing within `timeout` seconds."""
    return QueueEmpty(f"queue {name!r} had no message ready within {timeout or 0.0:g} s")


def closed(name: str, draining: bool) -> QueueClosed:
    """Return the error for a push while the queue drains, and for every call after that."""
    return QueueClosed(f"queue {name!r} is {'draining and takes nothing new' if draining else 'closed'}")


def lost(name: str, lease: float, receipt: str) -> LeaseLost:
    """Return the error for a delivery that is settled too late or twice; `lease` is the queue's, in seconds."""
    return LeaseLost(
        f"the lease {receipt!r} on queue {name!r} is over: it was settled before, or it ran out after "
        f"{lease:g} s and the message is somebody else's; extend it in time, or lease longer"
    )


def some_lost(late: int, total: int, first: LeaseLost) -> LeaseLost:
    """Return the error for a batch of acks of which `late` came too late."""
    return LeaseLost(f"{late} of {total} acks came too late. {first}")


def lease_expired(lease: float) -> str:
    """Return the error that is kept with a message whose lease of `lease` seconds expired."""
    return f"LeaseExpired: not settled within {lease:g} s"


# The checks.


def check_number(name: str, value: object, least: float = 0.0, *, above: bool = False) -> float:
    """Return `value` as a float.

    Raises:
        TypeError: It is not a number.
        ValueError: It is not finite, or less than `least`; with `above`, equal to `least` is too small as well.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, not {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or number < least or (above and number == least):
        bound = f"{'above' if above else 'of at least'} {least:g}"
        raise ValueError(f"{name} must be a finite number {bound}, not {value!r}")
    return number


def check_count(name: str, value: object) -> int:
    """Return `value` if it is a whole number of at least 1.

    Raises:
        TypeError: It is not a whole number.
        ValueError: It is less than 1.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, not {value!r}")
    return value


def check_each(name: str, values: Iterable[T], kind: type[T] | None = None) -> list[T]:
    """Return `values` as a list.

    Raises:
        TypeError: It is a single value and not a collection, or it holds something that is not of `kind`.
    """
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a collection, not {values!r:.300}")
    kept = list(values)
    if kind is not None and not all(map(isinstance, kept, repeat(kind))):
        wrong = next(value for value in kept if not isinstance(value, kind))
        raise TypeError(f"{name} must hold nothing but {kind.__name__}, not {wrong!r:.300}")
    return kept


def check_name(name: str, value: object) -> str:
    """Return `value` if it can name something: 1 to 255 printable characters without a space.

    Raises:
        TypeError: It is not a string.
        ValueError: It cannot be a name.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {value!r}")
    if not 0 < len(value) <= MAX_NAME or not value.isprintable() or " " in value:
        raise ValueError(f"{name} must be 1 to {MAX_NAME} printable characters without a space, not {value[:300]!r}")
    return value


def without_password(url: str) -> str:
    """Return `url` as an error may show it: without anything that can be meant as a user or a password."""
    return _CREDENTIALS.sub(r"\1", url)
