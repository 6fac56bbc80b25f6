"""How a message, a lease and a reply look in Redis."""

import json
import struct
from types import MappingProxyType

from lightbroker.core.message import Delivery, Message

FAR = 1 << 53  #: microseconds: later than anything, and still exact in a double
_TIMESTAMP = struct.Struct(">d")
_HEAD = struct.Struct(">dI")  # the beginning of a record: the timestamp, and the length of the headers


class Reply:
    """What every script answers: where in the reply is what."""

    ERRAND = 0  #: 0, or what the caller should do besides
    BODY = 1  #: what the script is about


class Errand:
    """What a reply may ask for: where in it is what."""

    WAIT = 0  #: microseconds until something falls due that the caller should see to; -1 for nothing
    PULLERS = 1  #: how many of its threads that wait for a message should try again
    PUSHERS = 2  #: how many of those that wait for room
    NOTES = 3  #: id, delivery, from, to and cause of each transition, if the queue is traced


class Lease(Delivery):
    """A delivery under a lease in Redis, until `until` (microseconds of the clock that the scripts read)."""

    __slots__ = ("key", "until")
    key: bytes
    until: int

    @property
    def receipt(self) -> str:
        """The call that made this lease, its place among those made together, and the message."""
        return self.key.decode()


def micros(seconds: float) -> int:
    """Whole microseconds, at most those that a double holds exactly."""
    return round(min(seconds, FAR / 1e6) * 1e6)


def digits(number: int) -> bytes:
    """A number as an argument."""
    return b"%d" % number


def bound(value: int | None) -> bytes:
    """A bound as an argument; FAR for none."""
    return b"%d" % (FAR if value is None else min(value, FAR))


def pack(message: Message) -> bytes:
    """The record of a message: all but its id and what changes."""
    headers = json.dumps(dict(message.headers)).encode() if message.headers else b""
    return _HEAD.pack(message.timestamp, len(headers)) + headers + message.body


def timestamp(record: bytes) -> float:
    """When the message of a record, of which the beginning is enough, was accepted."""
    seconds: float = _TIMESTAMP.unpack_from(record)[0]
    return seconds


def unpack(id: bytes, attempts: int, record: bytes) -> Message:
    """The message of a record."""
    timestamp, length = _HEAD.unpack_from(record)
    body = record[_HEAD.size + length :]
    if not length:
        return Message(id.decode(), body, timestamp, attempts)
    headers = json.loads(record[_HEAD.size : _HEAD.size + length])
    return Message(id.decode(), body, timestamp, attempts, MappingProxyType(headers))


def read_receipt(receipt: bytes) -> tuple[bytes, int]:
    """The id and the number of the delivery."""
    head, _, id = receipt.split(b"/", 2)[2].partition(b":")
    return id, int(head.rstrip(b"ft"))
