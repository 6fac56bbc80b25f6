"""The state of a queue in memory, and the steps that change it. No thread and no signal can cut a step in two.

Why there is no lock here. A thread that holds a lock across several bytecodes can lose the GIL while it holds it. All
other threads then queue up behind it (a convoy), and the queue falls to a few percent of its speed under 100 threads.
So every transition of the hot path is one call into C. `notebooks/01_queue.ipynb` shows both under load.

How one call does several things. Iterators of C compose:

    next(zip(a, b, c))       advances a, then b, then c; it stops at the first that raises
    next(map(f, a, b, c))    does the same, then calls f with what they yielded

If a, b, c and f are all C, no bytecode of ours runs in between. CPython switches threads and runs signal handlers only
between bytecodes, so other threads and Ctrl-C see either nothing of such a step or all of it.

The longest step, the push, read argument by argument. It is `next(map(announce, here, map(insert, permits, (message,)),
accepted))`. The outer map advances its three iterators in order, then calls `announce`:

    here                                  yields the deque `ready`; it always does
    map(insert, permits, (message,))      takes a permit; raises Empty, and ends the step, if the queue is full
                                          takes the message
                                          calls ready.insert(permit, message): the message is READY
    accepted                              counts one accepted message
    announce(ready, None, number)         puts a token for one ready message; this is SimpleQueue.put

What this relies on, in CPython with a GIL (3.10 to 3.15):

- `SimpleQueue.put(item, block, timeout)` ignores `block` and `timeout`. They exist for compatibility with `Queue.put`.
  That is why `announce` may be called with what the inner steps yield: None from `insert`, a number from `accepted`.
- `deque.insert(index, x)` appends if the index lies beyond the end. The permit is that index: `sys.maxsize`.
- The token is the deque to pop from. `map(deque.popleft, map(tokens.get, …))` takes a token and pops a message from it.
- Two threads may call `next` on the same `count`, `repeat`, or `map` of a C function over `repeat`: none of them holds
  a half-updated state. A generator does hold one, and a second thread gets a ValueError; so no step contains a
  generator.
- `next(count)` gives each number once. How often it was called is read from its `repr`, which does not advance it.
- Once a step has changed something, it allocates nothing that the garbage collector tracks. So no collection, and with
  it no finalizer, starts inside a step. A `zip` allocates its result tuple when it is made, before the step begins.
- A `get` that blocks does let other threads and signal handlers run. It does so before it has taken anything: a handler
  that raises ends the step with nothing changed.

A build of CPython without the GIL promises less: another thread can see a step half done. The tests run there, but
nothing is promised.

Closing. Two flags of the queue stop new calls. For calls that already wait, `refuse` puts None behind the permits, and
`close` puts an empty deque behind the tokens. A push that takes None finds no index in it (TypeError), and a pull that
takes the empty deque cannot pop from it (IndexError). Each puts back what it took, for the next that waits, and raises
QueueClosed.
"""

import sys
import threading
from collections import deque
from collections.abc import Iterator
from itertools import count, repeat
from queue import SimpleQueue
from typing import Any

from lightbroker.core.clock import Clock
from lightbroker.core.errors import InvariantError
from lightbroker.core.message import DeadLetter, Leased, Message
from lightbroker.core.policy import Overflow, QueueOptions
from lightbroker.core.stats import QueueStats
from lightbroker.core.store import Note
from lightbroker.core.waiting import Waiters

PERMIT = sys.maxsize  #: as an index to insert at, it lies behind everything


def _read(counter: "count[int]") -> int:
    return int(repr(counter)[6:-1])  # "count(42)"


class Steps:
    """The containers of one queue and the steps over them. A message is in exactly one container, or counted out.

    The containers:

    ready       READY: messages in order
    leased      LEASED: the message by its delivery; the delivery's identity is the receipt
    delayed     DELAYED: when it is due and the message, by a number
    dead        DEAD: the dead letter by the message's id
    tokens      one token for each message in `ready`; taking one gives the right to one message
    pool        one permit for each free place of the queue; taking one gives the right to insert

    Steps without an argument are endless iterators that are made once. `next(step)` takes the step:

    signal         put a token
    take_now       take a token and pop its message; raises Empty if there is none
    take_wait      the same, but wait for a token for ever
    permits        take a permit; waits for ever if the policy is BLOCK, else raises Empty if there is none
    permits_now    take a permit; raises Empty if there is none
    give           return a permit
    here           yield the deque `ready`, which is the token
    leave_acked, leave_dropped, leave_expired    count a message out, and return its permit
    accepted, acked, dropped, expired, purged, retried, redriven, refused    count

    Functions to build a step with an argument from, by `map`; `leaving` and `appending` build two of them:

    insert(permit, message)         make a message READY
    announce(ready)                 put a token
    lease(delivery, message)        make a message LEASED; returns the message
    unlease(delivery)               remove it; raises KeyError if its lease is over
    """

    __slots__ = (
        *("clock", "dead", "delayed", "leased", "lock", "name", "note", "now", "options", "pool", "ready", "tokens"),
        *("accepted", "acked", "dropped", "expired", "purged", "redriven", "refused", "retried"),
        *("announce", "give", "here", "insert", "lease", "leave_acked", "leave_dropped", "leave_expired", "permits"),
        *("permits_now", "pullers", "pushers", "signal", "take_now", "take_wait", "unlease"),
    )

    def __init__(self, name: str, options: QueueOptions, clock: Clock, note: Note | None) -> None:
        self.name, self.options, self.clock, self.note = name, options, clock, note
        self.now = clock.monotonic
        self.lock = threading.RLock()  # for transitions that need more than one step; the hot path never takes it
        self.pullers: Waiters = deque()
        self.pushers: Waiters = deque()
        self._hold_messages()
        self._hand_out_permits(options.capacity, waiting=options.overflow is Overflow.BLOCK)

    def _hold_messages(self) -> None:
        self.ready: deque[Message] = deque()
        self.tokens: SimpleQueue[deque[Message]] = SimpleQueue()
        self.leased: dict[Leased, Message] = {}
        self.delayed: dict[int, tuple[float, Message]] = {}
        self.dead: dict[str, DeadLetter] = {}
        self.accepted, self.acked, self.dropped, self.expired, self.purged = (count() for _ in range(5))
        self.retried, self.redriven, self.refused = count(), count(), count()
        self.insert, self.lease, self.unlease = self.ready.insert, self.leased.setdefault, self.leased.pop
        self.announce: Any = self.tokens.put
        self.here = repeat(self.ready)
        self.signal: Iterator[Any] = map(self.announce, self.here)
        self.take_wait: Iterator[Message] = map(deque.popleft, map(self.tokens.get, repeat(True)))
        self.take_now: Iterator[Message] = map(deque.popleft, map(self.tokens.get, repeat(False)))

    def _hand_out_permits(self, capacity: int | None, waiting: bool) -> None:
        self.pool: SimpleQueue[int | None] = SimpleQueue()
        if capacity is None:
            self.permits: Iterator[Any] = repeat(PERMIT)
            self.permits_now: Iterator[Any] = self.permits
            self.give: Iterator[Any] = repeat(None)
            self.leave_acked: Iterator[Any] = self.acked
            self.leave_dropped: Iterator[Any] = self.dropped
            self.leave_expired: Iterator[Any] = self.expired
            return
        for _ in range(capacity):
            self.pool.put(PERMIT)
        get: Any = self.pool.get
        put: Any = self.pool.put  # ignores its second argument, here the number of a counter
        self.permits = map(get, repeat(waiting))
        self.permits_now = map(get, repeat(False))
        self.give = map(put, repeat(PERMIT))
        self.leave_acked, self.leave_dropped, self.leave_expired = (
            map(put, repeat(PERMIT), counter) for counter in (self.acked, self.dropped, self.expired)
        )

    def leaving(self, delivery: Leased) -> Iterator[Message]:
        """Make the step that ends a lease; it raises KeyError if the lease is over."""
        return map(self.unlease, (delivery,))

    def appending(self, message: Message) -> Iterator[None]:
        """Make the step that puts a message at the back of `ready`; `signal` must follow it."""
        return map(self.ready.append, (message,))

    def tell(self, at: float, message: Message, source: str, target: str, cause: str) -> None:
        """Trace a transition, if the broker traces."""
        if self.note is not None:
            self.note(at, message.id, source, target, message.attempts, cause)

    def stats(self) -> QueueStats:
        """Return the counts; they fit together at a quiet instant."""
        ready, delayed, leased, dead = map(len, (self.ready, self.delayed, self.leased, self.dead))
        counters = (self.accepted, self.acked, self.dropped, self.expired, self.purged)
        others = (self.retried, self.redriven, self.refused)
        return QueueStats(ready, delayed, leased, dead, self.options.capacity, *map(_read, (*counters, *others)))

    def oldest(self) -> float | None:
        """Return when the message at the head of `ready` was accepted; see `Inspectable`."""
        try:
            return self.ready[0].timestamp
        except IndexError:
            return None

    def check_rights(self, stats: QueueStats) -> None:
        """Raise InvariantError if, by `stats`, a permit has leaked or a token is missing; not for a closing queue."""
        if stats.capacity is not None and self.pool.qsize() + stats.held != stats.capacity:
            raise InvariantError(f"queue {self.name!r} has {self.pool.qsize()} free permits and {stats}")
        if self.tokens.qsize() != stats.ready:
            raise InvariantError(f"queue {self.name!r} announces {self.tokens.qsize()} messages and has {stats}")
