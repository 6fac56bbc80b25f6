"""How a message, a delivery and a reply look in Redis."""

import json
import struct
from types import MappingProxyType
from typing import NamedTuple

from lightbroker.core.message import Delivery, Message

INFINITY = 1 << 53  #: never as a time in microseconds, no bound as a count; the last number that a double holds exactly
_TIMESTAMP = struct.Struct(">d")
_HEAD = struct.Struct(">dI")  # the beginning of a record: the timestamp, and the length of the headers

#: What stands where in the reply of every script of a queue.
FOLLOW_UP, BODY = 0, 1


class FollowUp(NamedTuple):
    """What a reply asks its caller to do besides; the reply has a 0 in its place if there is nothing."""

    look_in: int  #: microseconds until something falls due; -1 for never
    pullers: int  #: threads of the caller that wait for a message and should try again
    pushers: int  #: threads of the caller that wait for room and should try again
    transitions: list[bytes]  #: id, delivery, from, to and cause of each, one after the other, if the queue is traced


class RedisDelivery(Delivery):
    """A delivery whose lease is in Redis until `until`, in microseconds of the clock that the scripts read."""

    __slots__ = ("key", "until")
    key: bytes  #: the receipt, see `lua/schema.lua`
    until: int

    @property
    def receipt(self) -> str:
        """The call that leased the message, its place among those leased together, and the message."""
        return self.key.decode()


def micros(seconds: float) -> int:
    """Return whole microseconds, at most INFINITY."""
    return round(min(seconds, INFINITY / 1e6) * 1e6)


def digits(number: int) -> bytes:
    """Return a number as an argument."""
    return b"%d" % number


def limit(value: int | None) -> bytes:
    """Return a bound as an argument; INFINITY for none."""
    return b"%d" % (INFINITY if value is None else min(value, INFINITY))


def pack(message: Message) -> bytes:
    """Return the record of a message: all but its id, and but what changes."""
    headers = json.dumps(dict(message.headers)).encode() if message.headers else b""
    return _HEAD.pack(message.timestamp, len(headers)) + headers + message.body


def unpack(id: bytes, attempts: int, record: bytes) -> Message:
    """Return the message of a record."""
    timestamp, length = _HEAD.unpack_from(record)
    body = record[_HEAD.size + length :]
    if not length:
        return Message(id.decode(), body, timestamp, attempts)
    headers = json.loads(record[_HEAD.size : _HEAD.size + length])
    return Message(id.decode(), body, timestamp, attempts, MappingProxyType(headers))


def read_timestamp(record: bytes) -> float:
    """Return when the message of a record, of which the beginning is enough, was accepted."""
    seconds: float = _TIMESTAMP.unpack_from(record)[0]
    return seconds


def read_receipt(receipt: bytes) -> tuple[bytes, int]:
    """Return the id of the message and the number of the delivery."""
    head, _, id = receipt.split(b"/", 2)[2].partition(b":")
    return id, int(head.rstrip(b"ft"))
