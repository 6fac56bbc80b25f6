"""The nouns that a user holds: a message, its delivery under a lease, and a dead letter."""

import itertools
import json
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Any, NamedTuple, Protocol

from lightbroker.core.errors import LeaseLost, check_number

MAX_BODY = 16 * 1024 * 1024  #: bytes
MAX_HEADERS = 8 * 1024  #: bytes of UTF-8, names and values together
MAX_ERROR = 16 * 1024  #: characters of a traceback that are kept: its end, where the error is named
NEVER = float("inf")

NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_receipts = itertools.count(1)


def encode(body: object) -> bytes:
    """Turn what a user pushes into the bytes that are kept.

    Bytes stay as they are, a string becomes UTF-8, anything else becomes JSON. Raises TypeError for what JSON cannot
    hold, and ValueError for NaN, circular or too deep structures, lone surrogates and bodies above 16 MiB.
    """
    if isinstance(body, bytes):
        data = body
    else:
        try:
            text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, allow_nan=False)
            data = text.encode()
        except TypeError as error:
            kind = type(body).__name__
            raise TypeError(f"body must be bytes, str or what JSON can hold, not {kind}: {error}") from None
        except (ValueError, RecursionError) as error:
            raise ValueError(f"body cannot be encoded: {error}") from None
    if len(data) > MAX_BODY:
        raise ValueError(f"body has {len(data)} bytes, at most {MAX_BODY} are taken; push a reference to it instead")
    return data


def check_headers(headers: object) -> Mapping[str, str]:
    """Copy the headers into a read-only mapping; raises TypeError or ValueError unless they are short strings."""
    if headers is None:
        return NO_HEADERS
    if not isinstance(headers, Mapping) or not all(isinstance(s, str) for pair in headers.items() for s in pair):
        raise TypeError(f"headers must map strings to strings, not {headers!r:.300}")
    try:
        size = len("".join(s for pair in headers.items() for s in pair).encode())
    except UnicodeEncodeError as error:
        raise ValueError(f"headers cannot be encoded: {error}") from None
    if size > MAX_HEADERS:
        raise ValueError(f"headers have {size} bytes, at most {MAX_HEADERS} are taken")
    return MappingProxyType(dict(headers))


class Failure(NamedTuple):
    """Why deliveries of a message failed so far."""

    error: str
    traceback: str
    first_at: float
    last_at: float


class Message:
    """What a producer pushed. One message is shared by whoever holds it: read it, do not change it.

    id: unique among brokers; timestamp: Unix seconds at acceptance; attempts: which delivery this is, 1 for the first;
    headers: a read-only mapping of strings. `expires` (clock seconds) and `failure` are the store's.
    """

    # No __len__ and no __bool__: the hot path passes messages where C code asks for their truth.
    __slots__ = ("attempts", "body", "expires", "failure", "headers", "id", "timestamp")

    def __init__(
        self,
        id: str,
        body: bytes,
        timestamp: float,
        attempts: int = 1,
        headers: Mapping[str, str] = NO_HEADERS,
        expires: float = NEVER,
        failure: Failure | None = None,
    ) -> None:
        self.id = id
        self.body = body
        self.timestamp = timestamp
        self.attempts = attempts
        self.headers = headers
        self.expires = expires
        self.failure = failure

    @property
    def text(self) -> str:
        """The body as UTF-8 text; raises UnicodeDecodeError if it is none."""
        return self.body.decode()

    def json(self) -> Any:
        """The body read as JSON; raises json.JSONDecodeError if it is none."""
        return json.loads(self.body)

    def with_attempts(self, attempts: int, failure: Failure | None) -> "Message":
        """The same message for another delivery; who holds the earlier one sees no change."""
        return Message(self.id, self.body, self.timestamp, attempts, self.headers, self.expires, failure)

    def __repr__(self) -> str:
        return f"Message(id={self.id!r}, body={self.body[:60]!r}, attempts={self.attempts})"


class Settler(Protocol):
    """The part of a queue's store that a delivery needs; if the lease is over, each raises LeaseLost."""

    def ack(self, delivery: "Delivery") -> None:
        """LEASED -> acked."""

    def nack(self, delivery: "Delivery", error: str, trace: str, delay: float | None) -> None:
        """LEASED -> DEAD if that was the last attempt, else DELAYED, or READY if the delay is 0."""

    def release(self, delivery: "Delivery") -> None:
        """LEASED -> READY, at the back; the delivery does not count."""

    def reject(self, delivery: "Delivery", reason: str) -> None:
        """LEASED -> DEAD."""

    def extend(self, delivery: "Delivery", seconds: float) -> None:
        """LEASED, the deadline at least `seconds` from now."""


def explain(error: BaseException | str | None) -> tuple[str, str]:
    """The text and the traceback of what a consumer gives as the reason of a failure, cut to MAX_ERROR characters."""
    if isinstance(error, BaseException):
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        try:
            text = str(error)
        except Exception:
            text = "<it cannot say>"
        return f"{type(error).__name__}: {text}"[:MAX_ERROR], trace[-MAX_ERROR:]
    if error is None or isinstance(error, str):
        return (error or "")[:MAX_ERROR], ""
    raise TypeError(f"error must be an exception or a string, not {error!r:.300}")


class Leased:
    """A message under a lease, as a store makes it; `Delivery` and `AsyncDelivery` say what its holder can do with it.

    deadline: when the lease runs out, in seconds of the broker's clock (`clock.monotonic()`).
    """

    # Without __init__: a store makes the key of the lease first and fills it in when it has a message.
    __slots__ = ("_receipt", "deadline", "message", "store")
    deadline: float
    message: Message
    store: Any
    _receipt: str

    @property
    def receipt(self) -> str:
        """Names this lease and no other: the fencing token."""
        try:
            return self._receipt
        except AttributeError:
            self._receipt = f"{self.message.id}/{next(_receipts)}"
            return self._receipt

    def __repr__(self) -> str:
        return f"{type(self).__name__}(message={self.message!r}, deadline={self.deadline:g})"


class Delivery(Leased):
    """A message under a lease. Settle it once: ack, nack, release or reject; afterwards each of them raises LeaseLost.

    As a context manager it gives the message and acks on success; an exception nacks and goes on; Ctrl-C and the like
    (what is not an `Exception`) release, because they say nothing against the message.
    deadline: when the lease runs out, in seconds of the broker's clock (`clock.monotonic()`).
    """

    __slots__ = ()
    store: Settler

    def ack(self) -> None:
        """The message is done. Raises LeaseLost if the lease is over, and then somebody else may do it again."""
        self.store.ack(self)

    def nack(self, error: BaseException | str | None = None, delay: float | None = None) -> None:
        """It failed: deliver it again after `delay` seconds (None: the queue's backoff); after the last try bury it.

        Raises LeaseLost if the lease is over.
        """
        text, trace = explain(error)
        self.store.nack(self, text, trace, None if delay is None else check_number("delay", delay))

    def release(self) -> None:
        """Give it back untried: it goes to the back of the queue and this delivery does not count as an attempt."""
        self.store.release(self)

    def reject(self, reason: str) -> None:
        """It will never succeed: make it a dead letter now, with `reason` as its error."""
        self.store.reject(self, str(reason)[:MAX_ERROR])

    def extend(self, seconds: float) -> None:
        """Keep the lease for `seconds` from now; a lease is never shortened. Raises LeaseLost if it is over."""
        self.store.extend(self, check_number("seconds", seconds, above=True))

    def __enter__(self) -> Message:
        return self.message

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is None:
            self.ack()
            return
        with suppress(LeaseLost):
            if isinstance(error, Exception):
                self.nack(error)
            else:
                self.release()


@dataclass(frozen=True)
class DeadLetter:
    """A message that will not be delivered again unless somebody redrives it. Times are Unix seconds.

    reason: `max_attempts` (the last attempt failed or its lease ran out), `rejected` (by the consumer), `expired` (its
    TTL ran out while it waited to be tried again) or `overflow` (the queue was full). `message.attempts` says how often
    it was delivered; `error` holds type and text of the last failure, or the consumer's reason for rejecting.
    """

    message: Message
    queue: str
    reason: str
    error: str
    traceback: str
    first_failed_at: float
    last_failed_at: float


class Transition(NamedTuple):
    """One step in a message's life, as `Broker.trace` tells it. `time` is the clock's monotonic time in seconds."""

    time: float
    source: str
    target: str
    attempt: int
    cause: str
