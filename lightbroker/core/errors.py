"""Everything that can go wrong: the exceptions, and the checks that turn a senseless argument into one."""

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
    """Base of every error that LightBroker raises on its own account."""


class PushError(BrokerError):
    """A push was not taken; of a batch, `accepted` holds the ids that were in before."""

    def __init__(self, text: str, accepted: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.accepted = accepted


class QueueFull(PushError, queue.Full):
    """The queue has no room and its policy is to say so."""


class QueueEmpty(BrokerError, queue.Empty):
    """No message became ready within the time-out."""


class QueueClosed(PushError):
    """The queue, subscription or broker is closed, or drains and takes nothing new."""


class LeaseLost(BrokerError):
    """The receipt is stale: the message was settled, or its lease ran out and it may be with somebody else."""


class StoreError(BrokerError):
    """The storage behind the broker cannot be used."""


class InvariantError(BrokerError):
    """The conservation law does not hold: a bug in LightBroker or in a store."""


def check_number(name: str, value: object, least: float = 0.0, *, above: bool = False) -> float:
    """Return `value` as a float if it is a finite number of at least (with `above`: more than) `least`.

    Raises TypeError or ValueError that names the argument.
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
    """Return `value` if it is a whole number of at least 1; raises TypeError or ValueError that names the argument."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, not {value!r}")
    return value


def check_each(name: str, values: Iterable[T], kind: type[T] | None = None) -> list[T]:
    """Return `values` as a list if it is a collection (of `kind`) and no single value; raises TypeError naming it."""
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a collection, not {values!r:.300}")
    kept = list(values)
    if kind is not None and not all(map(isinstance, kept, repeat(kind))):
        wrong = next(value for value in kept if not isinstance(value, kind))
        raise TypeError(f"{name} must hold nothing but {kind.__name__}, not {wrong!r:.300}")
    return kept


def check_name(name: str, value: object) -> str:
    """Return `value` if it can name something: 1 to 255 printable characters without a space."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {value!r}")
    if not 0 < len(value) <= MAX_NAME or not value.isprintable() or " " in value:
        raise ValueError(f"{name} must be 1 to {MAX_NAME} printable characters without a space, not {value[:300]!r}")
    return value


def without_password(url: str) -> str:
    """Return `url` as an error may show it: without all that can be meant as user and password."""
    return _CREDENTIALS.sub(r"\1", url)
