"""The store in memory: push, pull and ack, each one atomic step without a lock. See `steps` for how and why.

An `Empty` from a step means that there was no permit (push) or no token (pull). A TypeError (push) or an IndexError
(pull, and a push that drops the oldest) means that the queue closes: the step took what closing puts behind the permits
and tokens.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from operator import index
from queue import Empty
from typing import Any, TypeVar, overload

from lightbroker.core import errors
from lightbroker.core.clock import Clock
from lightbroker.core.errors import QueueClosed
from lightbroker.core.memory.batches import enter_many, lease_many, settle_many
from lightbroker.core.memory.failing import Failing
from lightbroker.core.memory.overflow import overflow
from lightbroker.core.memory.steps import Steps
from lightbroker.core.message import NEVER, DeadLetter, Delivery, Leased, Message
from lightbroker.core.policy import Overflow, QueueOptions
from lightbroker.core.stats import QueueStats
from lightbroker.core.store import Excerpt, Note, push_all
from lightbroker.core.waiting import attempt, wake

L = TypeVar("L", bound=Leased)

_MOST_PLACES = 10_000_000  # each place is a permit, and the garbage collector walks them all


class MemoryQueue:
    """See `StoredQueue`, `Inspectable` and `Waitable` for what each method promises.

    A queue owns its `Steps`, and a `Failing` that does everything rarer than push, pull and ack. The steps of the hot
    path are attributes of the queue itself, because a look-up in between would cost time at each call. It raises
    ValueError for a capacity above 10 million.
    """

    # Slots: without them, each attribute after the thirtieth costs a look into a dict, on CPython 3.11.
    __slots__ = (
        *("__weakref__", "_closed", "_failing", "_lease_seconds", "_name", "_note", "_now", "_options", "_refusing"),
        *("_accepted", "_ack", "_announce", "_here", "_insert", "_lease", "_permits", "_permits_now", "_steps"),
        *("_expire_leased", "_lost", "_take_now", "_take_wait", "_unlease", "pullers", "pushers"),
    )

    def __init__(self, name: str, options: QueueOptions, clock: Clock, note: Note | None = None) -> None:
        if options.capacity is not None and options.capacity > _MOST_PLACES:
            raise ValueError(f"capacity must be at most {_MOST_PLACES} in memory, or None, not {options.capacity}")
        self._name, self._options, self._note, self._now = name, options, note, clock.monotonic
        self._lease_seconds = options.lease
        self._refusing = self._closed = False
        self._steps = steps = Steps(name, options, clock, note)
        self._insert, self._announce, self._here = steps.insert, steps.announce, steps.here
        self._permits, self._permits_now, self._accepted = steps.permits, steps.permits_now, steps.accepted
        self._lease, self._take_now, self._take_wait = steps.lease, steps.take_now, steps.take_wait
        self._unlease, self._ack = steps.unlease, steps.leave_acked
        self.pullers, self.pushers = steps.pullers, steps.pushers
        self._failing = Failing(steps)
        self._expire_leased, self._lost = self._failing.expire_leased, self._failing.lost

    # NEW -> READY or DELAYED

    def push(self, message: Message, timeout: float | None, delay: float) -> bool:
        if self._refusing:
            raise self._closed_error()
        while True:
            try:
                if timeout is None and not delay:
                    # The step of `_enter`, without its call: this is the hot path. `steps` explains each argument.
                    next(map(self._announce, self._here, map(self._insert, self._permits, (message,)), self._accepted))
                    if message.expires < NEVER:
                        self._failing.watch(message)
                elif timeout and self._options.overflow is Overflow.BLOCK:
                    attempt(self.pushers, lambda: self._enter(message, self._permits_now, delay), timeout)
                else:
                    self._enter(message, self._permits if timeout is None else self._permits_now, delay)
                break
            except Empty:
                taken = self._overflow(message)
                if taken is not None:
                    return taken
            except TypeError:
                raise self._push_woken() from None
        if self.pullers or self._note is not None:  # asked here, to save the hot path a call
            self._entered(message, delay)
        return True

    def _enter(self, message: Message, permits: Iterator[Any], delay: float) -> None:
        """Accept a message; raise Empty if `permits` has none."""
        if self._refusing:
            raise self._closed_error()
        if delay:
            # index() turns the None of a closed queue into a TypeError; a permit stays the number that it is.
            self._failing.delay(zip(map(index, permits), self._accepted), message, delay)
            return
        next(map(self._announce, self._here, map(self._insert, permits, (message,)), self._accepted))
        if message.expires < NEVER:
            self._failing.watch(message)

    @property
    def blocks(self) -> bool:
        """Whether a push waits when the queue is full."""
        return self._options.overflow is Overflow.BLOCK

    def push_now(self, message: Message, delay: float) -> bool:
        """`push`, but raise Empty where it would have to wait for room; that does not count as refused."""
        if self._options.overflow is not Overflow.BLOCK:
            return self.push(message, None, delay)
        try:
            self._enter(message, self._permits_now, delay)
        except TypeError:
            raise self._push_woken() from None
        self._entered(message, delay)
        return True

    def _entered(self, message: Message, delay: float) -> None:
        """Wake a consumer for a message that entered, and trace it."""
        if self.pullers:
            wake(self.pullers)
        if self._note is not None:
            self._note(self._now(), message.id, "NEW", "DELAYED" if delay else "READY", 0, "push")

    def lease(self, most: int, last: bool = False) -> list[Delivery]:
        return self.pull_many(most, 0.0)

    def enter(self, messages: Sequence[Message], taken: list[bool], delay: float, last: bool = False) -> None:
        taken += repeat(True, self._enter_many(messages[len(taken) :], delay))
        for message in messages[len(taken) :]:
            taken.append(self.push(message, 0.0, delay) if last else self.push_now(message, delay))

    def push_many(self, messages: Sequence[Message], timeout: float | None, delay: float) -> list[bool]:
        taken = [True] * self._enter_many(messages, delay)
        if len(taken) == len(messages):
            return taken
        return push_all(self, messages, taken, timeout, delay, blocks=self.blocks)

    def _enter_many(self, messages: Sequence[Message], delay: float) -> int:
        """Push the leading messages while there are permits, unless one step is not enough; return how many."""
        if not messages or messages[0].expires < NEVER or self._refusing or delay or self._note is not None:
            return 0
        return enter_many(self._steps, messages)

    def _overflow(self, message: Message) -> bool | None:
        """Follow the overflow policy; return what `push` returns, or None if the push has to try again."""
        try:
            return overflow(self._steps, self._failing, message)
        except IndexError:
            raise self._pull_woken() from None

    # READY -> LEASED

    @overload
    def pull(self, timeout: float | None) -> Delivery: ...

    @overload
    def pull(self, timeout: float | None, kind: type[L]) -> L: ...

    def pull(self, timeout: float | None, kind: Any = Delivery) -> Any:
        while True:
            if self._closed:
                raise self._closed_error()
            delivery = kind()  # before the step, because its identity is the receipt that the lease is granted under
            try:
                take = self._take_wait if timeout is None else self._take_now
                message = next(map(self._lease, (delivery,), take))
            except Empty:
                if not timeout:
                    raise errors.empty(self._name, timeout) from None
                try:
                    return attempt(self.pullers, lambda: self.pull(0.0, kind), timeout)
                except Empty:
                    raise errors.empty(self._name, timeout) from None
            except IndexError:
                raise self._pull_woken() from None
            # From here on the message is LEASED. If an interrupt keeps the delivery from its caller, nobody holds it;
            # the scan of `Expiry` finds a lease without a deadline and ends it a lease time later.
            now = self._now()
            if message.expires <= now:
                self._expire_leased(delivery, message)
                continue
            delivery.stored = self
            delivery.message = message
            delivery.deadline = now + self._lease_seconds
            if self._note is not None:
                self._note(now, message.id, "READY", "LEASED", message.attempts, "pull")
            return delivery

    @overload
    def pull_many(self, most: int, timeout: float | None) -> list[Delivery]: ...

    @overload
    def pull_many(self, most: int, timeout: float | None, kind: type[L]) -> list[L]: ...

    def pull_many(self, most: int, timeout: float | None, kind: Any = Delivery) -> list[Any]:
        deliveries = [self.pull(timeout, kind)]
        batch = [kind() for _ in repeat(None, min(most - 1, len(self._steps.ready)))]
        lease_many(self._steps, batch)
        now, note = self._now(), self._note
        deadline = now + self._lease_seconds
        for delivery, message in zip(batch, map(self._steps.leased.get, batch)):
            if message is not None and message.expires > now:
                delivery.stored, delivery.message, delivery.deadline = self, message, deadline
                deliveries.append(delivery)
                if note is not None:
                    note(now, message.id, "READY", "LEASED", message.attempts, "pull")
            elif message is not None:
                self._expire_leased(delivery, message)
        return deliveries

    # LEASED -> acked

    def ack(self, delivery: Leased) -> None:
        try:
            next(zip(map(self._unlease, (delivery,)), self._ack))
        except KeyError:
            raise self._lost(delivery) from None
        if self.pushers:
            wake(self.pushers)
        if self._note is not None:
            self._steps.tell(self._now(), delivery.message, "LEASED", "acked", "ack")

    def ack_many(self, deliveries: Iterable[Leased]) -> None:
        acked = list(deliveries)
        if late := settle_many(self._steps, acked):
            raise errors.some_lost(len(late), len(acked), self._lost(late[0]))

    # LEASED -> READY, DELAYED or DEAD; DEAD -> READY

    def nack(self, delivery: Leased, error: str, trace: str, delay: float | None) -> None:
        self._failing.nack(delivery, error, trace, delay)

    def release(self, delivery: Leased) -> None:
        self._failing.release(delivery)

    def reject(self, delivery: Leased, reason: str) -> None:
        self._failing.reject(delivery, reason)

    def extend(self, delivery: Leased, seconds: float) -> None:
        self._failing.extend(delivery, seconds)

    def dead_letters(self) -> list[DeadLetter]:
        return [excerpt.letter for excerpt in self._failing.oldest_dead(None)]

    def oldest_dead(self, most: int, shown: int) -> list[Excerpt]:
        return self._failing.oldest_dead(most)

    def newest_dead(self, most: int, shown: int) -> list[Excerpt]:
        return self._failing.newest_dead(most)

    def redrive(self, ids: Iterable[str] | None, limit: int | None) -> int:
        return self._failing.redrive(ids, limit)

    def purge(self) -> int:
        return self._failing.purge()

    # Looking and closing

    def stats(self) -> QueueStats:
        return self._steps.stats()

    def oldest(self) -> float | None:
        return self._steps.oldest()

    def check(self) -> None:
        stats = self.stats()
        stats.check(self._name)
        if not self._refusing:  # what closing puts among the permits and tokens is not to be counted
            self._steps.check_rights(stats)

    def refuse(self) -> None:
        with self._steps.lock:
            if not self._refusing:
                self._refusing = True
                self._failing.refuse()
                self._steps.pool.put(None)
                wake(self.pushers, len(self.pushers))

    def close(self) -> None:
        self.refuse()
        with self._steps.lock:
            if not self._closed:
                self._closed = True
                self._steps.tokens.put(deque())
                wake(self.pullers, len(self.pullers))
        self._failing.close()

    def _closed_error(self) -> QueueClosed:
        return errors.closed(self._name, draining=not self._closed)

    def _push_woken(self) -> QueueClosed:
        """Put back the None that a push met, and return its error."""
        self._steps.pool.put(None)
        return self._closed_error()

    def _pull_woken(self) -> QueueClosed:
        """Put back the empty deque that a pull met, and return its error."""
        self._steps.tokens.put(deque())
        return self._closed_error()
