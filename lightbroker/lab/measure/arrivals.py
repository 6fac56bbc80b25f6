"""Plans of arrivals: when each message of an open loop is meant to be sent.

A plan is an array of offsets in nanoseconds from the start, one for each message, in order. Every shape takes the mean
rate in messages/s and the number of messages, and keeps that mean rate.

Constant arrivals are the kindest load there is. Poisson arrivals are those of many independent clients. In bursts,
on-off sources and recorded blocks, messages come close together. The queue behind them is longer at the same rate.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightbroker.watcher import Recording

Offsets = NDArray[np.int64]  #: nanoseconds from the start
Arrivals = Callable[[float, int], Offsets]  #: takes the mean rate in messages/s and the number of messages

BURST = 100  #: messages in a burst
ON_SHARE = 0.2  #: share of each period in which an on-off source sends
PERIOD_S = 1.0  #: seconds from one start of an on-off source to the next


def constant(rate: float, messages: int) -> Offsets:
    """Plan equal gaps: message i arrives i/rate seconds after the start."""
    return _nanoseconds(np.arange(_checked(rate, messages)) / rate)


def poisson(rate: float, messages: int) -> Offsets:
    """Plan independent gaps from an exponential distribution with the mean 1/rate seconds, the same at every call."""
    gaps = np.random.default_rng(1).exponential(1.0, _checked(rate, messages)) / rate
    return _nanoseconds(gaps.cumsum() - gaps[0])


def burst(rate: float, messages: int) -> Offsets:
    """Plan 100 messages at once, then none until the mean rate allows the next 100."""
    return _nanoseconds(np.arange(_checked(rate, messages)) // BURST * (BURST / rate))


def on_off(rate: float, messages: int) -> Offsets:
    """Plan five times the rate in the first fifth of each second, and nothing in the rest of it."""
    spent, within = np.divmod(np.arange(_checked(rate, messages)) / rate, PERIOD_S)
    return _nanoseconds(spent * PERIOD_S + within * ON_SHARE)


def recorded(rate: float, messages: int) -> Offsets:
    """Plan the block arrivals of the packaged recording, sped up to the mean rate and repeated as often as needed."""
    offsets = np.array([head.offset for head in Recording.load()])
    length = (offsets[-1] - offsets[0]) * len(offsets) / (len(offsets) - 1)  # with a mean gap after the last block
    lap, block = np.divmod(np.arange(_checked(rate, messages)), len(offsets))
    return _nanoseconds((lap * length + offsets[block] - offsets[0]) * (len(offsets) / length / rate))


#: Every shape by the name that `Config.arrivals` uses.
SHAPES: dict[str, Arrivals] = {
    "constant": constant,
    "poisson": poisson,
    "burst": burst,
    "on-off": on_off,
    "recorded": recorded,
}


def _checked(rate: float, messages: int) -> int:
    if not rate > 0:
        raise ValueError(f"rate must be positive, not {rate!r}")
    if messages < 1:
        raise ValueError(f"messages must be at least 1, not {messages!r}")
    return messages


def _nanoseconds(seconds: NDArray[np.floating[Any]]) -> Offsets:
    return (seconds * 1e9).astype(np.int64)
