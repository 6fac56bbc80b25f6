"""A queue: the verbs, in the order of a message's life."""

import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping
from itertools import count, islice, repeat

from lightbroker.core.clock import Clock
from lightbroker.core.errors import check_count, check_each, check_number
from lightbroker.core.histogram import Histogram
from lightbroker.core.message import MAX_BODY, NEVER, DeadLetter, Delivery, Message, check_headers, encode
from lightbroker.core.policy import QueueOptions
from lightbroker.core.store import Inspectable, QueueStats, QueueStore


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

    The messages of one producer are first delivered in the order in which it pushed them. One that is retried,
    released or redriven goes to the back. Made by `Broker.queue`.
    """

    def __init__(self, name: str, options: QueueOptions, clock: Clock, store: QueueStore) -> None:
        self.name = name
        self.options = options
        self.clock = clock
        self.store = store
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

        body: bytes, str, or what JSON can hold; timeout: seconds to wait for room if the policy is BLOCK; delay:
        seconds until it is ready; ttl: seconds after which it is no longer delivered (None: as the queue says).
        Returns its id, or None if the overflow policy dropped it. Raises QueueFull, QueueClosed, or ValueError and
        TypeError for an argument that makes no sense; then nothing was accepted.
        """
        if timeout is None and ttl is None and self._ttl is None and headers is None and delay == 0.0:
            # What `form` would do, without its call: it is the hot path.
            if type(body) is not bytes or len(body) > MAX_BODY:
                body = encode(body)
            id = f"{self._prefix}{next(self._numbers)}"
            return id if self.store.push(Message(id, body, self._time()), None, 0.0) else None
        message = self.form(body, ttl, headers)
        return message.id if self.store.push(message, check_timeout(timeout), check_number("delay", delay)) else None

    def form(self, body: object, ttl: float | None, headers: Mapping[str, str] | None) -> Message:
        """The message that `push` would hand to the store."""
        if type(body) is not bytes or len(body) > MAX_BODY:
            body = encode(body)
        id = f"{self._prefix}{next(self._numbers)}"
        return Message(id, body, self._time(), 1, check_headers(headers), self._expiry(ttl))

    def form_many(
        self, bodies: Iterable[object], ttl: float | None, headers: Mapping[str, str] | None
    ) -> tuple[list[str], list[Message]]:
        """The ids and messages that `push_many` would hand to the store."""
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
        """Accept messages in order, far cheaper than one at a time; arguments as for `push`, `timeout` is for all.

        Returns the ids. If the queue has no room for one, or is closed, the error's `accepted` holds the ids of those
        before it. A StoreError leaves open which of a large batch are in.
        """
        timeout, delay = check_timeout(timeout), check_number("delay", delay)
        ids, messages = self.form_many(bodies, ttl, headers)
        taken = self.store.push_many(messages, timeout, delay)
        return [*ids] if all(taken) else [id if entered else None for id, entered in zip(ids, taken)]

    def _expiry(self, ttl: float | None) -> float:
        ttl = self._ttl if ttl is None else check_number("ttl", ttl, above=True)
        return NEVER if ttl is None else self.clock.monotonic() + ttl

    def pull(self, timeout: float | None = None) -> Delivery:
        """Lease the message that has been ready longest.

        timeout: seconds to wait for one; 0 does not wait, None waits for ever. It is real time, whatever the clock.
        Raises QueueEmpty or QueueClosed.
        """
        if timeout is not None and timeout != 0.0:
            timeout = check_timeout(timeout)
        return self.store.pull(timeout)

    def pull_many(self, n: int, timeout: float | None = None) -> list[Delivery]:
        """Wait as `pull` does for one message, then take what else is ready, at most `n` in all."""
        return self.store.pull_many(check_count("n", n), check_timeout(timeout))

    def ack_many(self, deliveries: Iterable[Delivery]) -> None:
        """Ack all of this queue's `deliveries`; raises LeaseLost if any came too late, after acking the others."""
        self.store.ack_many(check_each("deliveries", deliveries, Delivery))

    def stats(self) -> QueueStats:
        """What it holds now, and the counters of the conservation law."""
        return self.store.stats()

    def oldest_age(self) -> float | None:
        """Seconds since the message that is delivered next was accepted, 0 if none is ready; None if unknown here."""
        if not isinstance(self.store, Inspectable):
            return None
        oldest = self.store.oldest()
        return 0.0 if oldest is None else max(0.0, self.clock.time() - oldest)


class DeadLetterQueue:
    """What a queue gave up on: `len()`, iteration from the oldest, `redrive` and `purge`."""

    def __init__(self, store: QueueStore) -> None:
        self._store = store

    def __len__(self) -> int:
        return self._store.stats().dead

    def __iter__(self) -> Iterator[DeadLetter]:
        return iter(self._store.dead_letters())

    def redrive(self, ids: Iterable[str] | None = None, limit: int | None = None) -> int:
        """Deliver dead letters again, as if they were new: at the back, with attempts from 1 and without a TTL.

        ids: which (None: all, oldest first); unknown ones are passed over. limit: how many at most. It stops when the
        queue is full. Returns how many were moved.
        """
        chosen = None if ids is None else check_each("ids", ids, str)
        return self._store.redrive(chosen, None if limit is None else check_count("limit", limit))

    def purge(self) -> int:
        """Delete them all; returns how many there were."""
        return self._store.purge()
