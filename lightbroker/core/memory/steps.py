"""What the memory store is made of: containers, exact counters, and steps that nothing can cut in two.

Why no lock: a lock held across bytecodes makes threads queue behind a holder that waits for the GIL (a convoy). A call
into C that does not return to the interpreter in between needs none, and no signal handler can run inside it either.
So every transition is one such call, composed of iterators: `next(zip(a, b, c))` takes the steps a, b and c in that
order and stops at the first that raises; `next(map(f, a, b, c))` does the same and then calls f on what they gave.
Steps without an argument are made here once, as endless iterators; `next` on a count, or on a map of a C function over
repeats, keeps no state that threads could tear.

A place in the queue is a permit, taken from a SimpleQueue and put back when the message leaves; a ready message is
announced by a token in another. Both make waiting a blocking `get` in C. They are more than tickets: the permit *is*
the index to insert at, and the token *is* the deque to pop from. Closing puts a None among the permits and an empty
deque among the tokens: they fail in the very step that they must stop, and whoever meets one puts it back for the next.
"""

import sys
import threading
from collections import deque
from collections.abc import Iterator
from itertools import count, repeat
from queue import SimpleQueue
from typing import Any

from lightbroker.core import outcome
from lightbroker.core.clock import Clock
from lightbroker.core.errors import InvariantError, QueueClosed
from lightbroker.core.message import DeadLetter, Leased, Message
from lightbroker.core.policy import Overflow, QueueOptions
from lightbroker.core.store import Note, QueueStats
from lightbroker.core.waiting import Sleepers, rouse

PERMIT = sys.maxsize  # as an index to insert at: behind everything


def _read(counter: "count[int]") -> int:
    return int(repr(counter)[6:-1])  # how often it was advanced; only its repr tells without advancing it


class Steps:
    """The state of one queue: a message is in one of `_ready`, `_leased`, `_delayed` and `_dead`, or counted out."""

    # Slots, because attributes beyond the thirtieth each cost a look into a dict, on CPython 3.11.
    __slots__ = (
        *("__weakref__", "_clock", "_closed", "_lock", "_name", "_note", "_now", "_options", "_refusing"),
        *("_dead", "_delayed", "_leased", "_pool", "_ready", "_tokens"),
        *("_accepted", "_acked", "_dropped", "_expired", "_purged", "_redriven", "_refused", "_retried"),
        *("_ack", "_announce", "_drop", "_expire", "_give", "_here", "_insert", "_lease", "_permits", "_permits_now"),
        *("_signal", "_pullers", "_pushers", "_take_now", "_take_wait", "_unlease"),
    )

    def __init__(self, name: str, options: QueueOptions, clock: Clock, note: Note | None) -> None:
        self._name, self._options, self._clock, self._note = name, options, clock, note
        self._now = clock.monotonic
        self._refusing = self._closed = False

        self._ready: deque[Message] = deque()
        self._tokens: SimpleQueue[deque[Message]] = SimpleQueue()
        self._leased: dict[Leased, Message] = {}  # keyed by the delivery itself: its identity is the receipt
        self._delayed: dict[int, tuple[float, Message]] = {}
        self._dead: dict[str, DeadLetter] = {}

        self._accepted, self._acked, self._dropped, self._expired, self._purged = (count() for _ in range(5))
        self._retried, self._redriven, self._refused = count(), count(), count()

        self._insert, self._lease, self._unlease = self._ready.insert, self._leased.setdefault, self._leased.pop
        self._announce: Any = self._tokens.put  # takes and ignores two more arguments, so steps can run before it
        self._here = repeat(self._ready)
        self._signal: Iterator[Any] = map(self._announce, self._here)
        self._take_wait: Iterator[Message] = map(deque.popleft, map(self._tokens.get, repeat(True)))
        self._take_now: Iterator[Message] = map(deque.popleft, map(self._tokens.get, repeat(False)))
        self._pool: SimpleQueue[int | None] = SimpleQueue()
        if options.capacity is None:
            self._permits: Iterator[Any] = repeat(PERMIT)
            self._permits_now: Iterator[Any] = self._permits
            self._give: Iterator[Any] = repeat(None)
            self._ack: Iterator[Any] = self._acked
            self._drop: Iterator[Any] = self._dropped
            self._expire: Iterator[Any] = self._expired
        else:
            for _ in range(options.capacity):
                self._pool.put(PERMIT)
            get: Any = self._pool.get
            put: Any = self._pool.put
            self._permits = map(get, repeat(options.overflow is Overflow.BLOCK))
            self._permits_now = map(get, repeat(False))
            self._give, self._ack, self._drop, self._expire = (
                map(put, repeat(PERMIT), counter)
                for counter in (repeat(None), self._acked, self._dropped, self._expired)
            )
        self._pullers: Sleepers = deque()
        self._pushers: Sleepers = deque()
        self._lock = threading.RLock()  # for the slow paths, which move more than one step can

    @property
    def pullers(self) -> Sleepers:
        """Who waits for a message."""
        return self._pullers

    @property
    def pushers(self) -> Sleepers:
        """Who waits for room."""
        return self._pushers

    def stats(self) -> QueueStats:
        """The counts; they fit together at a quiet instant."""
        return QueueStats(
            ready=len(self._ready),
            delayed=len(self._delayed),
            leased=len(self._leased),
            dead=len(self._dead),
            capacity=self._options.capacity,
            accepted=_read(self._accepted),
            acked=_read(self._acked),
            dropped=_read(self._dropped),
            expired=_read(self._expired),
            purged=_read(self._purged),
            retried=_read(self._retried),
            redriven=_read(self._redriven),
            refused=_read(self._refused),
        )

    def oldest(self) -> float | None:
        """When the message at the head was accepted; see `Inspectable`."""
        try:
            return self._ready[0].timestamp
        except IndexError:
            return None

    def check(self) -> None:
        """Raise InvariantError if the law does not hold, a permit has leaked or a token is missing."""
        stats = self.stats()
        stats.check(self._name)
        if self._refusing:
            return  # what closing put among the permits and tokens is not to be counted
        if stats.capacity is not None and self._pool.qsize() + stats.held != stats.capacity:
            raise InvariantError(f"queue {self._name!r} has {self._pool.qsize()} free permits and {stats}")
        if self._tokens.qsize() != stats.ready:
            raise InvariantError(f"queue {self._name!r} announces {self._tokens.qsize()} messages and has {stats}")

    def refuse(self) -> None:
        """Wake every blocked push with QueueClosed, and let no other begin."""
        with self._lock:
            if not self._refusing:
                self._refusing = True
                self._pool.put(None)
                rouse(self._pushers, len(self._pushers))

    def close(self) -> None:
        """Refuse, and wake every blocked pull with QueueClosed."""
        self.refuse()
        with self._lock:
            if not self._closed:
                self._closed = True
                self._tokens.put(deque())
                rouse(self._pullers, len(self._pullers))

    def _closed_error(self) -> QueueClosed:
        return outcome.closed(self._name, draining=not self._closed)

    def _push_woken(self) -> QueueClosed:
        self._pool.put(None)
        return self._closed_error()

    def _pull_woken(self) -> QueueClosed:
        self._tokens.put(deque())
        return self._closed_error()
