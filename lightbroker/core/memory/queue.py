"""The store in memory: the hot path, push, pull and ack, each one atomic step (see `steps`) without a lock."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import repeat
from operator import index
from queue import Empty
from typing import Any, TypeVar, overload

from lightbroker.core import outcome
from lightbroker.core.clock import Clock
from lightbroker.core.errors import QueueClosed, QueueFull
from lightbroker.core.memory.slow import SlowPaths
from lightbroker.core.message import NEVER, Delivery, Leased, Message
from lightbroker.core.policy import Overflow, QueueOptions
from lightbroker.core.store import Note, push_all
from lightbroker.core.waiting import attempt, rouse

T = TypeVar("T")
L = TypeVar("L", bound=Leased)

_MOST_PLACES = 10_000_000  # each place is a permit, and the garbage collector walks them all


def offer(message: Message, queues: "Sequence[MemoryQueue]") -> int:
    """Push to each of `queues`, whatever the others do; how many took it."""
    taken = 0
    for queue in queues:
        try:
            # The step of `MemoryQueue.push`, without its call: a copy for a hundred subscribers costs a third less.
            entering = map(queue._insert, queue._permits, (message,))
            next(map(queue._announce, queue._here, entering, queue._accepted))
            if queue._pullers:
                rouse(queue._pullers)
            taken += 1
        except Empty:
            with suppress(QueueFull, QueueClosed):
                taken += queue.push(message, None, 0.0)
        except TypeError:  # a None among the permits, which the next who waits needs too
            queue._push_woken()
    return taken


class MemoryQueue(SlowPaths):
    """See `QueueStore` and `Waitable` for what each method promises; `kind` is the class of the deliveries to make.

    Raises ValueError for a capacity above 10 million.
    """

    __slots__ = ("_lease_seconds",)

    def __init__(self, name: str, options: QueueOptions, clock: Clock, note: Note | None = None) -> None:
        if options.capacity is not None and options.capacity > _MOST_PLACES:
            raise ValueError(f"capacity must be at most {_MOST_PLACES} in memory, or None, not {options.capacity}")
        super().__init__(name, options, clock, note)
        self._lease_seconds = options.lease

    def push(self, message: Message, timeout: float | None, delay: float) -> bool:
        if self._refusing:
            raise self._closed_error()
        while True:
            try:
                if timeout is None and not delay:
                    next(map(self._announce, self._here, map(self._insert, self._permits, (message,)), self._accepted))
                    if message.expires < NEVER:
                        self._watch(message)
                elif timeout and self._options.overflow is Overflow.BLOCK:
                    attempt(self._pushers, lambda: self._enter(message, self._permits_now, delay), timeout)
                else:
                    self._enter(message, self._permits if timeout is None else self._permits_now, delay)
                break
            except Empty:
                taken = self._overflow(message)
                if taken is not None:
                    return taken
            except TypeError:  # a None among the permits
                raise self._push_woken() from None
        if self._pullers:
            rouse(self._pullers)
        if self._note is not None:
            self._note(self._now(), message.id, "NEW", "DELAYED" if delay else "READY", 0, "push")
        return True

    def _enter(self, message: Message, permits: Iterator[Any], delay: float) -> None:
        if self._refusing:
            raise self._closed_error()
        if delay:
            self._defer(zip(map(index, permits), self._accepted), message, delay)
            return
        next(map(self._announce, self._here, map(self._insert, permits, (message,)), self._accepted))
        if message.expires < NEVER:
            self._watch(message)

    @property
    def blocks(self) -> bool:
        """Whether a push waits when the queue is full."""
        return self._options.overflow is Overflow.BLOCK

    def push_now(self, message: Message, delay: float) -> bool:
        """`push` that raises Empty where it would have to wait for room, which is not counted as refused."""
        if self._options.overflow is not Overflow.BLOCK:
            return self.push(message, None, delay)
        try:
            self._enter(message, self._permits_now, delay)
        except TypeError:  # a None among the permits
            raise self._push_woken() from None
        if self._pullers:
            rouse(self._pullers)
        if self._note is not None:
            self._note(self._now(), message.id, "NEW", "DELAYED" if delay else "READY", 0, "push")
        return True

    def lease(self, most: int, last: bool = False) -> list[Delivery]:
        return self.pull_many(most, 0.0)

    def enter(self, messages: Sequence[Message], taken: list[bool], delay: float, last: bool = False) -> None:
        taken += repeat(True, self._enter_many(messages[len(taken) :], delay))
        for message in messages[len(taken) :]:
            taken.append(self.push(message, 0.0, delay) if last else self.push_now(message, delay))

    def push_many(self, messages: Sequence[Message], timeout: float | None, delay: float) -> list[bool]:
        taken = [True] * self._enter_many(messages, delay)
        return (
            taken
            if len(taken) == len(messages)
            else push_all(self, messages, taken, timeout, delay, blocks=self.blocks)
        )

    def _enter_many(self, messages: Sequence[Message], delay: float) -> int:
        """Push those at the head that need no more than a permit, in one step; how many."""
        if not messages or messages[0].expires < NEVER or self._refusing or delay or self._note is not None:
            return 0
        # The bound comes first, so that the last round ends before it has taken a permit.
        bound, rest = repeat(None, len(messages)), iter(messages)
        entering = map(self._announce, self._here, map(self._insert, self._permits_now, rest), self._accepted)
        shut_out = 0
        try:
            deque(zip(bound, entering), maxlen=0)
        except Empty:  # no permit: `rest` still begins with the message that needed one
            pass
        except TypeError:  # a None among the permits, which the next who waits needs too
            self._push_woken()
            shut_out = 1
        rouse(self._pullers, len(messages))
        return len(messages) - len(list(rest)) - shut_out

    def _overflow(self, message: Message) -> bool | None:
        """Deal with a full queue: what `push` returns, or None if there is room now."""
        policy = self._options.overflow
        if policy in (Overflow.BLOCK, Overflow.REJECT):
            next(self._refused)
            raise outcome.full(self._name, self._options.capacity)
        if policy is Overflow.DEAD_LETTER:
            with self._lock:
                self._bury(self._accepted, message.with_attempts(0, None), "overflow", "NEW")
            return True
        if policy is Overflow.DROP_OLDEST:
            try:
                oldest, _ = next(zip(self._take_now, self._drop))
                self._tell(self._now(), oldest, "READY", "dropped", "overflow")
                return None
            except Empty:
                pass  # all the room is taken by messages that are leased or delayed
            except IndexError:  # an empty deque among the tokens
                raise self._pull_woken() from None
        next(zip(self._accepted, self._dropped))
        self._tell(self._now(), message, "NEW", "dropped", "overflow")
        return False

    @overload
    def pull(self, timeout: float | None) -> Delivery: ...

    @overload
    def pull(self, timeout: float | None, kind: type[L]) -> L: ...

    def pull(self, timeout: float | None, kind: Any = Delivery) -> Any:
        while True:
            if self._closed:
                raise self._closed_error()
            delivery = kind()
            try:
                take = self._take_wait if timeout is None else self._take_now
                message = next(map(self._lease, (delivery,), take))
            except Empty:
                if not timeout:
                    raise outcome.empty(self._name, timeout) from None
                try:
                    return attempt(self._pullers, lambda: self.pull(0.0, kind), timeout)
                except Empty:
                    raise outcome.empty(self._name, timeout) from None
            except IndexError:  # an empty deque among the tokens
                raise self._pull_woken() from None
            now = self._now()
            if message.expires <= now:
                self._expire_leased(delivery, message)
                continue
            delivery.store = self
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
        more = min(most - 1, len(self._ready))
        batch = [kind() for _ in repeat(None, more)]
        with suppress(Empty, IndexError):  # others were faster, or it closes: what was leased so far is in `_leased`
            # zip asks for the delivery first, so that the last round ends before it has taken a message.
            self._leased.update(zip(batch, self._take_now))
        now = self._now()
        deadline = now + self._lease_seconds
        for delivery, message in zip(batch, map(self._leased.get, batch)):
            if message is not None and message.expires > now:
                delivery.store, delivery.message, delivery.deadline = self, message, deadline
                deliveries.append(delivery)
            elif message is not None:
                self._expire_leased(delivery, message)
        if self._note is not None:
            for delivery in deliveries[1:]:
                message = delivery.message
                self._note(now, message.id, "READY", "LEASED", message.attempts, "pull")
        return deliveries

    def take(self) -> Message:
        """Pull and ack in one step, for subscribers, who ask for no more than at most once; raises Empty."""
        if self._closed:
            raise self._closed_error()
        try:
            message, _ = next(zip(self._take_now, self._ack))
        except IndexError:  # an empty deque among the tokens
            raise self._pull_woken() from None
        if self._pushers:
            rouse(self._pushers)
        return message

    def attempt(self, step: Callable[[], T], timeout: float) -> T:
        """Call `step` each time that a message gets ready, until it does not raise Empty, for `timeout` seconds."""
        return attempt(self._pullers, step, timeout)

    def rouse(self) -> None:
        """Let everybody who waits in `attempt` try again."""
        rouse(self._pullers, len(self._pullers))

    def ack(self, delivery: Leased) -> None:
        try:
            next(zip(map(self._unlease, (delivery,)), self._ack))
        except KeyError:
            raise self._lost(delivery) from None
        if self._pushers:
            rouse(self._pushers)
        if self._note is not None:
            self._tell(self._now(), delivery.message, "LEASED", "acked", "ack")

    def ack_many(self, deliveries: Iterable[Leased]) -> None:
        deliveries = list(deliveries)
        rest = iter(deliveries)
        lost: dict[Leased, None] = {}
        while True:
            try:
                deque(zip(map(self._unlease, rest), self._ack), maxlen=0)
                break
            except KeyError as error:  # only this one was not settled; `rest` goes on behind it
                lost[error.args[0]] = None
        rouse(self._pushers, len(deliveries))
        if self._note is not None:
            for delivery in deliveries:
                if delivery not in lost:
                    self._tell(self._now(), delivery.message, "LEASED", "acked", "ack")
        if lost:
            raise outcome.some_lost(len(lost), len(deliveries), self._lost(next(iter(lost))))
