"""When messages are planned to arrive: offsets in nanoseconds from the start, for a mean rate in messages/s.

Constant arrivals are the kindest load there is. Poisson arrivals are those of many independent clients; bursts, on-off
sources and recorded blocks come together, and the queue behind them is longer at the same rate.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightbroker.watcher import Recording

Offsets = NDArray[np.int64]
Arrivals = Callable[[float, int], Offsets]  #: rate in messages/s, number of messages

BURST = 100  #: messages
ON_SHARE = 0.2  #: of the period
PERIOD_S = 1.0


def constant(rate: float, messages: int) -> Offsets:
    """Message i after i/rate."""
    return _nanoseconds(np.arange(_checked(rate, messages)) / rate)


def poisson(rate: float, messages: int, seed: int = 1) -> Offsets:
    """Exponential gaps."""
    gaps = np.random.default_rng(seed).exponential(1.0, _checked(rate, messages)) / rate
    return _nanoseconds(gaps.cumsum() - gaps[0])


def burst(rate: float, messages: int) -> Offsets:
    """100 at once, and then nothing until the mean rate allows the next 100."""
    return _nanoseconds(np.arange(_checked(rate, messages)) // BURST * (BURST / rate))


def on_off(rate: float, messages: int) -> Offsets:
    """Five times the rate during the first fifth of each second, nothing during the rest."""
    spent, within = np.divmod(np.arange(_checked(rate, messages)) / rate, PERIOD_S)
    return _nanoseconds(spent * PERIOD_S + within * ON_SHARE)


def recorded(rate: float, messages: int) -> Offsets:
    """The block arrivals of the packaged recording, over and over, sped up to the mean rate."""
    offsets = np.array([head.offset for head in Recording.load()])
    length = (offsets[-1] - offsets[0]) * len(offsets) / (len(offsets) - 1)  # the last gap is a mean one
    lap, block = np.divmod(np.arange(_checked(rate, messages)), len(offsets))
    return _nanoseconds((lap * length + offsets[block] - offsets[0]) * (len(offsets) / length / rate))


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
