"""The contract of a store: one atomic transition per method.

"Atomic" means: whoever looks, and whatever is killed or interrupted, a message is in exactly one state; two callers
who want the same message cannot both have it; and a method that raises has changed nothing. A store is used by any
number of threads at once. What a method may assume: arguments were checked, bodies are bytes, times are seconds.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty
from typing import NamedTuple, Protocol, runtime_checkable

from lightbroker.core.clock import Clock
from lightbroker.core.errors import InvariantError, PushError
from lightbroker.core.message import DeadLetter, Delivery, Message, Settler
from lightbroker.core.policy import QueueOptions
from lightbroker.core.waiting import Sleepers, attempt

#: Called with (time, message id, from, to, attempt, cause) for each transition of a traced queue.
Note = Callable[[float, str, str, str, int, str], None]


@dataclass(frozen=True)
class QueueStats:
    """What a queue holds now, and what has happened to all it ever accepted."""

    ready: int
    delayed: int
    leased: int
    dead: int
    capacity: int | None
    accepted: int
    acked: int
    dropped: int
    expired: int
    purged: int
    retried: int  #: deliveries that failed and were followed by another
    redriven: int  #: dead letters that were made ready again
    refused: int  #: pushes that ended in QueueFull, which accepted nothing

    @property
    def held(self) -> int:
        """Messages that take room: ready, delayed and leased."""
        return self.ready + self.delayed + self.leased

    def check(self, name: str) -> None:
        """Raise InvariantError if the conservation law does not hold for these numbers, read at a quiet instant."""
        accounted = self.held + self.acked + self.dead + self.dropped + self.expired + self.purged
        if self.accepted != accounted:
            raise InvariantError(f"queue {name!r} accepted {self.accepted} messages, accounts for {accounted}: {self}")
        if self.capacity is not None and self.held > self.capacity:
            raise InvariantError(f"queue {name!r} holds {self.held} messages, more than its capacity: {self}")


class QueueStore(Settler, Protocol):
    """One queue in a store. `Settler` adds ack, nack, release, reject and extend, each raising LeaseLost if stale."""

    def push(self, message: Message, timeout: float | None, delay: float) -> bool:
        """Accept the message as READY, or as DELAYED for `delay` seconds; a full queue follows its overflow policy.

        False means accepted and dropped. Raises QueueFull or QueueClosed, and then nothing was accepted.
        """

    def push_many(self, messages: Sequence[Message], timeout: float | None, delay: float) -> list[bool]:
        """`push` each in order; they share one TTL. The error of the one that was not accepted tells which were."""

    def pull(self, timeout: float | None) -> Delivery:
        """Lease the message that has been READY longest, waiting `timeout` seconds for one (None: for ever).

        The receipt is new; `deadline` is set. Raises QueueEmpty or QueueClosed.
        """

    def pull_many(self, most: int, timeout: float | None) -> list[Delivery]:
        """Wait as `pull` does for the first message, then take what else is READY, `most` in all."""

    def ack_many(self, deliveries: Iterable[Delivery]) -> None:
        """Ack all whose lease holds, then raise LeaseLost if there were others."""

    def dead_letters(self) -> list[DeadLetter]:
        """A copy of the dead letters, oldest first."""

    def redrive(self, ids: Iterable[str] | None, limit: int | None) -> int:
        """Make dead letters READY again with their attempts forgotten, until the queue is full; how many were."""

    def purge(self) -> int:
        """Delete the dead letters; how many there were."""

    def stats(self) -> QueueStats:
        """The counts; they fit together at a quiet instant, when no method is running."""

    def check(self) -> None:
        """Raise InvariantError if the conservation law, or what else the store keeps, does not hold."""

    def refuse(self) -> None:
        """From now on every push, the blocked ones too, raises QueueClosed; pulls go on."""

    def close(self) -> None:
        """Refuse, and wake every blocked pull with QueueClosed."""


class Excerpt(NamedTuple):
    """A dead letter of whose body perhaps only the beginning is there."""

    letter: DeadLetter
    size: int  #: bytes of the whole body

    @classmethod
    def whole(cls, letter: DeadLetter) -> "Excerpt":
        """The letter with its whole body."""
        return cls(letter, len(letter.message.body))


@runtime_checkable
class Inspectable(Protocol):
    """What a `QueueStore` may offer besides, for those who watch it; no method may hold up a transition.

    shown: how many bytes of a body are needed; what is behind them need not be read.
    """

    def oldest(self) -> float | None:
        """When the message that has been READY longest was accepted, in Unix seconds; None if none is READY."""

    def oldest_dead(self, most: int, shown: int) -> list[Excerpt]:
        """The `most` dead letters that were added first, oldest first."""

    def newest_dead(self, most: int, shown: int) -> list[Excerpt]:
        """The `most` dead letters that were added last, oldest first."""


@runtime_checkable
class Waitable(QueueStore, Protocol):
    """A queue at which one can also wait without a thread, as coroutines do: hang up a `Sleeper`, try, and await it."""

    @property
    def pullers(self) -> Sleepers:
        """Who waits for a message: for each that becomes READY the store rouses one, in order; on close all."""

    @property
    def pushers(self) -> Sleepers:
        """Who waits for room: for each place that gets free the store rouses one, in order; on close all."""

    def lease(self, most: int, last: bool = False) -> list[Delivery]:
        """Lease up to `most` READY messages without waiting; the caller has a sleeper among `pullers`.

        Args:
            most: Messages to lease at most.
            last: Whether this is the last try. The caller then waits for nothing, and needs no sleeper.

        Raises:
            Empty: Nothing is READY. Unless this was the last try, the sleeper is roused when that changes.
            QueueClosed: The queue is closed.
        """

    def enter(self, messages: Sequence[Message], taken: list[bool], delay: float, last: bool = False) -> None:
        """Accept messages without waiting; the caller has a sleeper among `pushers`.

        Args:
            messages: What to accept, in order.
            taken: The answers so far; those of messages that enter now are appended, as `push` returns them.
            delay: Seconds until the messages are READY.
            last: Whether this is the last try. A full queue then follows its overflow policy, and the caller needs no
                sleeper.

        Raises:
            Empty: There is no room for the rest. The sleeper is roused when that changes.
            QueueFull: There is no room, this was the last try, and the policy is BLOCK or REJECT.
            QueueClosed: The queue takes nothing new.
        """


def push_all(
    queue: Waitable,
    messages: Sequence[Message],
    taken: list[bool],
    timeout: float | None,
    delay: float,
    *,
    blocks: bool,
) -> list[bool]:
    """Accept messages in order: `QueueStore.push_many` for every store.

    Args:
        queue: Where they go.
        messages: What to accept.
        taken: The answers for those at the head that entered before; it is completed and returned.
        timeout: Seconds to wait for room, for all of them together (None: for ever).
        delay: Seconds until they are READY.
        blocks: Whether the queue's policy is to wait for room.

    Returns:
        For each message whether it entered; False means that the overflow policy dropped it.

    Raises:
        PushError: One was not accepted. `accepted` holds the ids of those that entered before it.
    """
    with naming_accepted(messages, taken):
        if blocks and timeout != 0.0:
            with suppress(Empty):
                attempt(queue.pushers, partial(queue.enter, messages, taken, delay), timeout)
        if len(taken) < len(messages):
            queue.enter(messages, taken, delay, last=True)
    return taken


def pull_some(queue: Waitable, most: int, timeout: float | None) -> list[Delivery]:
    """Lease up to `most` messages, waiting up to `timeout` seconds (None: for ever) for the first.

    Raises:
        Empty: None became READY in time.
    """
    if timeout == 0.0:
        return queue.lease(most, last=True)
    return attempt(queue.pullers, partial(queue.lease, most), timeout)


@contextmanager
def naming_accepted(messages: Sequence[Message], taken: Sequence[bool]) -> Iterator[None]:
    """Let a PushError say which of `messages` entered before it, by the answers in `taken`."""
    try:
        yield
    except PushError as error:
        error.accepted = tuple(message.id for message, entered in zip(messages, taken) if entered)
        raise


class Store(Protocol):
    """A place that keeps queues."""

    def queue(self, name: str, options: QueueOptions, clock: Clock, note: Note | None) -> QueueStore:
        """Open the queue `name`, made if it is not there; called once for each name."""

    def declared(self) -> dict[str, QueueOptions]:
        """The queues it holds by name, each with the options of whoever opened it last; it makes none."""

    def close(self) -> None:
        """Give up connections and files; the queues are closed already."""
