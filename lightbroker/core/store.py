"""The contract of a store: one atomic transition per method.

"Atomic" means three things. Whoever looks, and whatever is killed or interrupted, a message is in exactly one state.
Two callers who want the same message cannot both get it. And a method that raises has changed nothing but counters,
except for batches, whose errors say what was done.

Any number of threads use a store at once. A method may assume that its arguments were checked, that bodies are bytes,
and that times are seconds.

`push_all` and `pull_some` are the waiting that all stores have in common. They are built on `Waitable.enter` and
`Waitable.lease`, which never wait.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from queue import Empty
from typing import NamedTuple, Protocol, runtime_checkable

from lightbroker.core.clock import Clock
from lightbroker.core.errors import PushError, empty
from lightbroker.core.message import DeadLetter, Delivery, Message, Settler, Transition
from lightbroker.core.policy import QueueOptions
from lightbroker.core.stats import QueueStats
from lightbroker.core.waiting import Waiters, attempt

#: Called with (time, message id, from, to, attempt, cause) for each transition of a traced queue.
Note = Callable[[float, str, str, str, int, str], None]


class Trace:
    """The last `most` transitions of a broker's messages."""

    def __init__(self, most: int) -> None:
        self._transitions: deque[tuple[str, Transition]] = deque(maxlen=most)

    def note(self, at: float, message_id: str, source: str, target: str, attempt: int, cause: str) -> None:
        """Remember a transition; see `Note`."""
        self._transitions.append((message_id, Transition(at, source, target, attempt, cause)))

    def of(self, message_id: str) -> list[Transition]:
        """Return what is remembered of one message, oldest first."""
        found = [transition for id, transition in list(self._transitions) if id == message_id]
        # Threads may note two transitions in the wrong order within microseconds; their times are right.
        return sorted(found, key=lambda transition: (transition.source != "NEW", transition.time))


class StoredQueue(Settler, Protocol):
    """One queue in a store. `Settler` declares ack, nack, release, reject and extend."""

    def push(self, message: Message, timeout: float | None, delay: float) -> bool:
        """Accept the message as READY, or as DELAYED for `delay` seconds. A full queue follows its overflow policy.

        `timeout` is for BLOCK: seconds to wait for room (None: for ever).

        Returns:
            False if the message was accepted and dropped.

        Raises:
            QueueFull, QueueClosed: Nothing was accepted.
        """

    def push_many(self, messages: Sequence[Message], timeout: float | None, delay: float) -> list[bool]:
        """Push each message in order. They share one time to live.

        Raises:
            PushError: One was not accepted. `accepted` holds the ids of those before it.
        """

    def pull(self, timeout: float | None) -> Delivery:
        """Lease the message that has been READY longest, waiting up to `timeout` seconds for one (None: for ever).

        The receipt is new, and `deadline` is set.

        Raises:
            QueueEmpty: None became READY in time.
            QueueClosed: The queue is closed.
        """

    def pull_many(self, most: int, timeout: float | None) -> list[Delivery]:
        """Wait as `pull` does for the first message, then lease what else is READY, `most` in all."""

    def ack_many(self, deliveries: Iterable[Delivery]) -> None:
        """Ack all whose lease holds, then raise LeaseLost if there were others."""

    def dead_letters(self) -> list[DeadLetter]:
        """Return a copy of the dead letters, the oldest first."""

    def redrive(self, ids: Iterable[str] | None, limit: int | None) -> int:
        """Make dead letters READY with their attempts forgotten, until the queue is full; return how many."""

    def purge(self) -> int:
        """Delete the dead letters, and return how many there were."""

    def stats(self) -> QueueStats:
        """Return the counts. They fit together at a quiet instant, when no method is running."""

    def check(self) -> None:
        """Raise InvariantError if the conservation law, or what else the store keeps, does not hold."""

    def refuse(self) -> None:
        """Let every push raise QueueClosed from now on, the blocked ones too. Pulls go on."""

    def close(self) -> None:
        """Refuse, and wake every blocked pull with QueueClosed."""


class Excerpt(NamedTuple):
    """A dead letter of which perhaps only the beginning of the body is there."""

    letter: DeadLetter
    size: int  #: bytes of the whole body

    @classmethod
    def whole(cls, letter: DeadLetter) -> "Excerpt":
        """Return the letter with its whole body."""
        return cls(letter, len(letter.message.body))


@runtime_checkable
class Inspectable(Protocol):
    """What a `StoredQueue` may offer besides, to be looked at. No method may hold up push, pull or ack.

    `shown` is how many bytes of a body are needed; the rest need not be read.
    """

    def oldest(self) -> float | None:
        """Return when the message that has been READY longest was accepted, in Unix seconds; None if none is READY."""

    def oldest_dead(self, most: int, shown: int) -> list[Excerpt]:
        """Return the `most` dead letters that were added first, the oldest first."""

    def newest_dead(self, most: int, shown: int) -> list[Excerpt]:
        """Return the `most` dead letters that were added last, the oldest first."""


@runtime_checkable
class Waitable(StoredQueue, Protocol):
    """A queue at which a coroutine can wait without a thread.

    Waiting is the same for threads and coroutines: put a waiter on the list, try, and sleep if that was in vain.
    """

    @property
    def pullers(self) -> Waiters:
        """The waiters for a message. For each message that becomes READY the queue wakes one; on close all."""

    @property
    def pushers(self) -> Waiters:
        """The waiters for room. For each place that gets free the queue wakes one; on close all."""

    def lease(self, most: int, last: bool = False) -> list[Delivery]:
        """Lease up to `most` READY messages without waiting; the caller has a waiter among `pullers`.

        Args:
            most: Messages to lease at most.
            last: Whether this is the last try. The caller then waits for nothing, and needs no waiter.

        Raises:
            Empty: Nothing is READY. Unless this was the last try, the waiter is woken when that changes.
            QueueClosed: The queue is closed.
        """

    def enter(self, messages: Sequence[Message], taken: list[bool], delay: float, last: bool = False) -> None:
        """Accept messages without waiting; the caller has a waiter among `pushers`.

        Args:
            messages: What to accept, in order.
            taken: The answers so far; those of messages that enter now are appended, as `push` returns them.
            delay: Seconds until the messages are READY.
            last: Whether this is the last try. A full queue then follows its overflow policy, and the caller needs no
                waiter.

        Raises:
            Empty: There is no room for the rest. The waiter is woken when that changes.
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
    """Accept messages in order: `StoredQueue.push_many` for every store.

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


def pull_some(queue: Waitable, name: str, most: int, timeout: float | None) -> list[Delivery]:
    """Lease messages of the queue `name`, waiting for the first: `StoredQueue.pull_many` for every store.

    Args:
        queue: Where they come from.
        name: Its name, for the error.
        most: Messages to lease at most.
        timeout: Seconds to wait for the first (None: for ever).

    Raises:
        QueueEmpty: None became READY in time.
    """
    try:
        if timeout == 0.0:
            return queue.lease(most, last=True)
        return attempt(queue.pullers, partial(queue.lease, most), timeout)
    except Empty:
        raise empty(name, timeout) from None


@contextmanager
def naming_accepted(messages: Sequence[Message], taken: Sequence[bool]) -> Iterator[None]:
    """Set `accepted` of a PushError to the ids of the messages whose answer in `taken` is True."""
    try:
        yield
    except PushError as error:
        error.accepted = tuple(message.id for message, entered in zip(messages, taken) if entered)
        raise


class Store(Protocol):
    """A place that keeps queues."""

    def queue(self, name: str, options: QueueOptions, clock: Clock, note: Note | None) -> StoredQueue:
        """Open the queue `name`, which is made if it is not there; called once for each name."""

    def declared(self) -> dict[str, QueueOptions]:
        """Return the queues that it holds by name, each with the options of its last opener; open none."""

    def close(self) -> None:
        """Give up connections and files. The queues are closed already."""
