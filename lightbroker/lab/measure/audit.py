"""Numbered bodies, and the audit that counts them.

Bodies are made before the clock starts and audited after it has stopped, so neither is part of what is measured.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BODY_BYTES = 100  #: bytes of every body
_NUMBER_BYTES = 8  # at the front of a body
_PADDING = bytes(BODY_BYTES - _NUMBER_BYTES)


def make_bodies(messages: int, first: int = 0) -> list[bytes]:
    """Return that many bodies of 100 bytes, which carry the numbers from `first` on."""
    return [index.to_bytes(_NUMBER_BYTES, "big") + _PADDING for index in range(first, first + messages)]


def number(body: bytes) -> int:
    """Return the number that a body of `make_bodies` carries."""
    return int.from_bytes(body[:_NUMBER_BYTES], "big")


def numbers(bodies: Iterable[bytes]) -> NDArray[np.int64]:
    """Return the number that each body carries, and -1 for a body that `make_bodies` did not make."""
    heads = [
        body[:_NUMBER_BYTES] if len(body) == BODY_BYTES and body.endswith(_PADDING) else b"\xff" * _NUMBER_BYTES
        for body in bodies
    ]
    return np.frombuffer(b"".join(heads), dtype=">i8").astype(np.int64)


@dataclass(frozen=True)
class Audit:
    """The messages of one run, counted by their outcome.

    Attributes:
        sent: Messages that the producers sent.
        received: Bodies that the consumers kept, repeated and unknown ones included.
        acked: Messages that were acknowledged; None if the system has no acknowledgement or does not count them.
        lost: Messages that were sent and never received.
        duplicated: Receipts of a message beyond its first.
        unknown: Bodies that were never sent.
    """

    sent: int
    received: int
    acked: int | None
    lost: int
    duplicated: int
    unknown: int

    @property
    def clean(self) -> bool:
        """Whether every message arrived once and was acked once, and nothing else arrived."""
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
    """Compare the bodies that were sent with those that the consumers kept.

    Args:
        sent: How many were sent: the bodies of `make_bodies(sent)`, each once.
        received: The bodies that the consumers kept, in any order.
        acked: How many the system counts as acknowledged; None if it does not tell.
    """
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
