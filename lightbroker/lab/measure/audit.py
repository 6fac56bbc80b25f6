"""Numbered bodies, and what became of them. All of it happens before and after the clock runs."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BODY_BYTES = 100
_NUMBER_BYTES = 8
_PADDING = bytes(BODY_BYTES - _NUMBER_BYTES)


def make_bodies(messages: int, first: int = 0) -> list[bytes]:
    """Bodies of 100 bytes, each of which carries its index, from `first` on."""
    return [index.to_bytes(_NUMBER_BYTES, "big") + _PADDING for index in range(first, first + messages)]


def number(body: bytes) -> int:
    """The index in a body that `make_bodies` wrote."""
    return int.from_bytes(body[:_NUMBER_BYTES], "big")


def numbers(bodies: Iterable[bytes]) -> NDArray[np.int64]:
    """The index that each body carries; -1 for a body that `make_bodies` did not write."""
    heads = [
        body[:_NUMBER_BYTES] if len(body) == BODY_BYTES and body.endswith(_PADDING) else b"\xff" * _NUMBER_BYTES
        for body in bodies
    ]
    return np.frombuffer(b"".join(heads), dtype=">i8").astype(np.int64)


@dataclass(frozen=True)
class Audit:
    """What became of the messages of one run; `acked` is None where the system knows no acknowledgement."""

    sent: int
    received: int
    acked: int | None
    lost: int
    duplicated: int
    unknown: int

    @property
    def clean(self) -> bool:
        """Every message arrived once and was acked once, and nothing else arrived."""
        return self.lost == self.duplicated == self.unknown == 0 and self.acked in (None, self.sent)

    def __add__(self, other: "Audit") -> "Audit":
        acked = None if self.acked is None or other.acked is None else self.acked + other.acked
        return Audit(
            self.sent + other.sent,
            self.received + other.received,
            acked,
            self.lost + other.lost,
            self.duplicated + other.duplicated,
            self.unknown + other.unknown,
        )


def audit(sent: int, received: Iterable[bytes], acked: int | None) -> Audit:
    """Compare the first `sent` bodies of `make_bodies` with what the consumers kept."""
    found = numbers(received)
    known = found[(found >= 0) & (found < sent)]
    times = np.bincount(known, minlength=sent)
    return Audit(
        sent=sent,
        received=int(found.size),
        acked=acked,
        lost=int((times == 0).sum()),
        duplicated=int((times - 1).clip(0).sum()),
        unknown=int(found.size - known.size),
    )
