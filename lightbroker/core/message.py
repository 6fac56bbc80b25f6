"""The nouns that a user holds: a message, its delivery under a lease, a dead letter."""

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
    """Return the bytes of a body: bytes as they are, a string as UTF-8, anything else as JSON.

    Raises:
        TypeError: JSON cannot hold it.
        ValueError: It holds NaN, a circle, too deep a structure or a lone surrogate, or has more than 16 MiB.
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
    """Return the headers as a read-only mapping of their own.

    Raises:
        TypeError: They are not a mapping of strings to strings.
        ValueError: They cannot be UTF-8, or have more than 8 kB.
    """
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
    """Why deliveries of a message failed so far. Times are Unix seconds."""

    error: str
    traceback: str
    first_at: float
    last_at: float


class Message:
    """What a producer pushed. One message is shared by everybody who holds it: read it, do not change it.

    Attributes:
        id: Unique among brokers.
        body: The bytes; `text` and `json()` read them.
        timestamp: When the push was called, in Unix seconds.
        attempts: Which delivery this is, 1 for the first.
        headers: A read-only mapping of strings.

    `expires` (seconds of the clock's monotonic time) and `failure` belong to the store.
    """

    # No __len__ and no __bool__: on the hot path, C code asks for the truth of a message.
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
        """The body as UTF-8 text.

        Raises:
            UnicodeDecodeError: It is not UTF-8.
        """
        return self.body.decode()

    def json(self) -> Any:
        """Return the body read as JSON.

        Raises:
            json.JSONDecodeError: It is not JSON.
        """
        return json.loads(self.body)

    def with_attempts(self, attempts: int, failure: Failure | None) -> "Message":
        """Return the message as another delivery holds it. The holder of the earlier one sees no change."""
        return Message(self.id, self.body, self.timestamp, attempts, self.headers, self.expires, failure)

    def __repr__(self) -> str:
        return f"Message(id={self.id!r}, body={self.body[:60]!r}, attempts={self.attempts})"


class Settler(Protocol):
    """The part of a queue's store that a delivery needs. Each method raises LeaseLost if the lease is over."""

    def ack(self, delivery: "Delivery") -> None:
        """LEASED -> acked."""

    def nack(self, delivery: "Delivery", error: str, trace: str, delay: float | None) -> None:
        """LEASED -> DEAD if that was the last attempt, else DELAYED, or READY if the delay is 0."""

    def release(self, delivery: "Delivery") -> None:
        """LEASED -> READY, at the back; the delivery does not count."""

    def reject(self, delivery: "Delivery", reason: str) -> None:
        """LEASED -> DEAD."""

    def extend(self, delivery: "Delivery", seconds: float) -> None:
        """LEASED, with a deadline of at least `seconds` from now."""


def explain(error: BaseException | str | None) -> tuple[str, str]:
    """Return the text and the traceback of what a consumer gives as the reason of a failure.

    Each is cut to MAX_ERROR characters; of a traceback the end is kept, because the error is named there.

    Raises:
        TypeError: It is neither an exception nor a string nor None.
    """
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
    """A message under a lease, as a store makes it. `Delivery` and `AsyncDelivery` say what its holder can do with it.

    deadline: when the lease expires, in seconds of the broker's clock (`clock.monotonic()`).
    """

    # No __init__: a store makes the delivery first, leases a message under it, and fills it in afterwards.
    __slots__ = ("_receipt", "deadline", "message", "stored")
    deadline: float
    message: Message
    stored: Any
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
    """A message under a lease. Settle it once, with ack, nack, release or reject; afterwards each raises LeaseLost.

    As a context manager it gives the message. It acks at the end; an `Exception` nacks and goes on; anything else that
    is raised, such as Ctrl-C, releases, because it says nothing against the message.

    Attributes:
        message: What was pushed.
        deadline: When the lease expires, in seconds of the broker's clock (`clock.monotonic()`).
    """

    __slots__ = ()
    stored: Settler

    def ack(self) -> None:
        """Say that the message is done.

        Raises:
            LeaseLost: The lease is over, and another consumer may do the message again.
        """
        self.stored.ack(self)

    def nack(self, error: BaseException | str | None = None, delay: float | None = None) -> None:
        """Say that the message failed. It is delivered again, or becomes a dead letter after its last attempt.

        Args:
            error: What went wrong; it is kept with the message.
            delay: Seconds until the next delivery (None: the queue's backoff).

        Raises:
            LeaseLost: The lease is over.
        """
        text, trace = explain(error)
        self.stored.nack(self, text, trace, None if delay is None else check_number("delay", delay))

    def release(self) -> None:
        """Give the message back untried, to the back of the queue. This delivery does not count as an attempt."""
        self.stored.release(self)

    def reject(self, reason: str) -> None:
        """Make the message a dead letter now, because it will never succeed.

        Args:
            reason: Why; the dead letter's `error`.

        Raises:
            LeaseLost: The lease is over.
        """
        self.stored.reject(self, str(reason)[:MAX_ERROR])

    def extend(self, seconds: float) -> None:
        """Keep the lease for `seconds` from now. A lease is never shortened."""
        self.stored.extend(self, check_number("seconds", seconds, above=True))

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
    """A message that is not delivered again unless somebody redrives it. Times are Unix seconds.

    Attributes:
        reason: `max_attempts` (the last attempt failed, or its lease expired), `rejected` (by a consumer), `expired`
            (its time to live ended while it waited for a retry) or `overflow` (the queue was full).
        error: Type and text of the last failure, or the consumer's reason for rejecting.

    `message.attempts` says how often the message was delivered.
    """

    message: Message
    queue: str
    reason: str
    error: str
    traceback: str
    first_failed_at: float
    last_failed_at: float


class Transition(NamedTuple):
    """One step in a message's life, as `Broker.trace` tells it.

    Attributes:
        time: The clock's monotonic time in seconds.
        source, target: The states before and after.
    """

    time: float
    source: str
    target: str
    attempt: int
    cause: str
