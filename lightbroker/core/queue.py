"""A queue as its users see it: the verbs, in the order of a message's life."""

import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping
from itertools import count, islice, repeat

from lightbroker.core.clock import Clock
from lightbroker.core.errors import check_count, check_each, check_number
from lightbroker.core.histogram import Histogram
from lightbroker.core.message import MAX_BODY, NEVER, DeadLetter, Delivery, Message, check_headers, encode
from lightbroker.core.policy import QueueOptions
from lightbroker.core.stats import QueueStats
from lightbroker.core.store import Inspectable, StoredQueue


def check_timeout(timeout: float | None) -> float | None:
    """Return a time-out in seconds that the operating system can wait for; None waits for ever."""
    return None if timeout is None else min(check_number("timeout", timeout), threading.TIMEOUT_MAX)


def check_push(
    body: object, timeout: float | None, delay: float, ttl: float | None, headers: Mapping[str, str] | None
) -> None:
    """Raise what `Queue.push` raises for an argument that makes no sense."""
    encode(body)
    check_timeout(timeout)
    check_number("delay", delay)
    check_headers(headers)
    if ttl is not None:
        check_number("ttl", ttl, above=True)


class Queue:
    """Point to point: each message goes to one consumer at a time, at least once, until it is settled.

    The messages of one producer are first delivered in the order in which it pushed them. A message that is retried,
    released or redriven goes to the back. `Broker.queue` makes queues.

    Attributes:
        name: The queue's name.
        options: What it was declared with.
        dead_letters: The messages that it gave up on.
        wait_times: Seconds from the push until a pool's handler starts; first deliveries only.
        handling_times: Seconds that the handlers of pools took.
    """

    def __init__(self, name: str, options: QueueOptions, clock: Clock, store: StoredQueue) -> None:
        self.name = name
        self.options = options
        self.clock = clock
        self.stored = store
        self.dead_letters = DeadLetterQueue(store)
        self.wait_times = Histogram()  #: from acceptance until a pool's handler starts; first deliveries only
        self.handling_times = Histogram()  #: of the handlers of pools
        self._time = clock.time
        self._ttl = options.ttl
        self._prefix = f"{secrets.token_hex(6)}-"
        self._numbers = count(1)

    def push(
        self,
        body: object,
        *,
        timeout: float | None = None,
        delay: float = 0.0,
        ttl: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str | None:
        """Accept one message.

        Args:
            body: bytes, str, or anything that JSON can hold.
            timeout: Seconds to wait for room, if the overflow policy is BLOCK (None: for ever).
            delay: Seconds until the message is ready.
            ttl: Seconds after which it is no longer delivered (None: as the queue says).
            headers: Strings that travel with the message.

        Returns:
            Its id, or None if the overflow policy dropped it.

        Raises:
            QueueFull: There is no room.
            QueueClosed: The queue is closed, or it drains.
            TypeError, ValueError: An argument makes no sense.

        If it raises, nothing was accepted.
        """
        if timeout is None and ttl is None and self._ttl is None and headers is None and delay == 0.0:
            # What `_form` does, without its call: this is the hot path.
            if type(body) is not bytes or len(body) > MAX_BODY:
                body = encode(body)
            id = f"{self._prefix}{next(self._numbers)}"
            return id if self.stored.push(Message(id, body, self._time()), None, 0.0) else None
        message = self._form(body, ttl, headers)
        return message.id if self.stored.push(message, check_timeout(timeout), check_number("delay", delay)) else None

    def _form(self, body: object, ttl: float | None, headers: Mapping[str, str] | None) -> Message:
        """Return the message that `push` hands to the store."""
        if type(body) is not bytes or len(body) > MAX_BODY:
            body = encode(body)
        id = f"{self._prefix}{next(self._numbers)}"
        return Message(id, body, self._time(), 1, check_headers(headers), self._expiry(ttl))

    def _form_many(
        self, bodies: Iterable[object], ttl: float | None, headers: Mapping[str, str] | None
    ) -> tuple[list[str], list[Message]]:
        """Return the ids and messages that `push_many` hands to the store."""
        kept = [
            body if type(body) is bytes and len(body) <= MAX_BODY else encode(body)
            for body in check_each("bodies", bodies)
        ]
        ids = [f"{self._prefix}{number}" for number in islice(self._numbers, len(kept))]
        shared = repeat(self._time()), repeat(1), repeat(check_headers(headers)), repeat(self._expiry(ttl))
        return ids, list(map(Message, ids, kept, *shared))

    def push_many(
        self,
        bodies: Iterable[object],
        *,
        timeout: float | None = None,
        delay: float = 0.0,
        ttl: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> list[str | None]:
        """Accept messages in order. It is far cheaper than one push for each.

        The arguments are those of `push`; `timeout` is for all messages together.

        Returns:
            For each message its id, or None if the overflow policy dropped it.

        Raises:
            QueueFull: There is no room for one of them. `accepted` of the error holds the ids of those before it.
            QueueClosed: The queue is closed, or it drains. `accepted` as above.
            StoreError: The store failed, and which messages of a large batch it has is open.
            TypeError, ValueError: An argument makes no sense; then nothing was accepted.
        """
        timeout, delay = check_timeout(timeout), check_number("delay", delay)
        ids, messages = self._form_many(bodies, ttl, headers)
        taken = self.stored.push_many(messages, timeout, delay)
        return [*ids] if all(taken) else [id if entered else None for id, entered in zip(ids, taken)]

    def _expiry(self, ttl: float | None) -> float:
        ttl = self._ttl if ttl is None else check_number("ttl", ttl, above=True)
        return NEVER if ttl is None else self.clock.monotonic() + ttl

    def pull(self, timeout: float | None = None) -> Delivery:
        """Lease the message that has been ready longest.

        Args:
            timeout: Seconds of real time to wait for one, whatever the clock; 0 does not wait, None waits for ever.

        Raises:
            QueueEmpty: None became ready in time.
            QueueClosed: The queue is closed.
        """
        if timeout is not None and timeout != 0.0:
            timeout = check_timeout(timeout)
        return self.stored.pull(timeout)

    def pull_many(self, n: int, timeout: float | None = None) -> list[Delivery]:
        """Wait as `pull` does for one message, then lease what else is ready.

        Args:
            n: Messages at most.
            timeout: Seconds to wait for the first; see `pull`.

        Raises:
            QueueEmpty: None became ready in time.
            QueueClosed: The queue is closed.
        """
        return self.stored.pull_many(check_count("n", n), check_timeout(timeout))

    def ack_many(self, deliveries: Iterable[Delivery]) -> None:
        """Ack deliveries of this queue.

        Raises:
            LeaseLost: The lease of at least one is over. The others are acked.
        """
        self.stored.ack_many(check_each("deliveries", deliveries, Delivery))

    def stats(self) -> QueueStats:
        """Return what the queue holds now, and the counters of the conservation law."""
        return self.stored.stats()

    def oldest_age(self) -> float | None:
        """Return the seconds since the message that is delivered next was pushed.

        It is 0 if none is ready, and None if the store cannot tell.
        """
        if not isinstance(self.stored, Inspectable):
            return None
        oldest = self.stored.oldest()
        return 0.0 if oldest is None else max(0.0, self.clock.time() - oldest)


class DeadLetterQueue:
    """The messages that a queue gave up on: `len()`, iteration from the oldest, `redrive` and `purge`."""

    def __init__(self, store: StoredQueue) -> None:
        self._store = store

    def __len__(self) -> int:
        return self._store.stats().dead

    def __iter__(self) -> Iterator[DeadLetter]:
        return iter(self._store.dead_letters())

    def redrive(self, ids: Iterable[str] | None = None, limit: int | None = None) -> int:
        """Deliver dead letters again, as if they were new: at the back, with attempts from 1, and without a time to
        live.

        It stops when the queue is full.

        Args:
            ids: Which (None: all, the oldest first). Unknown ids are passed over.
            limit: How many at most (None: all).

        Returns:
            How many were moved.
        """
        chosen = None if ids is None else check_each("ids", ids, str)
        return self._store.redrive(chosen, None if limit is None else check_count("limit", limit))

    def purge(self) -> int:
        """Delete all dead letters, and return how many there were."""
        return self._store.purge()
