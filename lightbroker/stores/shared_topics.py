"""Topics whose subscribers live in several processes, over a store that carries messages between the processes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from lightbroker.core.clock import Clock
from lightbroker.core.errors import StoreError
from lightbroker.core.message import Message
from lightbroker.core.policy import QueueOptions
from lightbroker.core.queue import Queue
from lightbroker.core.topic.buffer import Buffer, offer
from lightbroker.core.topic.subscription import Subscription
from lightbroker.core.topic.topics import Topics

#: Called for each message that another process has published, from a thread of the relay. Its second argument is the
#: pattern and the name of a group whose turn falls to this process, or None for all subscribers that are in no group.
Receive = Callable[[Message, tuple[str, str] | None], None]


class Reached(NamedTuple):
    """What became of a message that a relay was given to publish."""

    others: int  #: processes that have it for their subscribers, and groups whose turn fell to another process
    groups: tuple[tuple[str, str], ...]  #: pattern and name of the groups whose turn falls to this process
    queues: tuple[tuple[str, QueueOptions], ...]  #: that are bound to the topic, to be pushed to by the publisher


class Relay(Protocol):
    """Carries what is published between the processes that share a store, to each at most once.

    When the store cannot be reached, every method but `leave` and `close` raises StoreError.
    """

    def join(self, pattern: str, group: str | None) -> None:
        """Add a subscriber of this process: what is published to `pattern` from now on is received here.

        A process has as many of a group's turns as it has members of the group.
        """

    def leave(self, pattern: str, group: str | None) -> None:
        """Remove a subscriber of this process."""

    def bind(self, pattern: str, queue: str, options: QueueOptions) -> None:
        """Let every process that publishes to `pattern` push the message into `queue` as well, from now on."""

    def publish(self, topic: str, message: Message) -> Reached:
        """Send to every other process that subscribes, in one step; each group's turn falls to one process."""

    def close(self) -> None:
        """Receive nothing more."""


class SharedTopics(Topics):
    """A message reaches the subscribers of this process directly, and those of other processes through the relay.

    A subscriber's buffer stays in its process, with its bound and its overflow policy. If that is BLOCK, publishers of
    the same process wait; publishers of other processes do not. The members of a group may live in several processes:
    each message goes to one process, in turn, and there to one member. A binding belongs to the store and outlives the
    process that made it. The process that publishes makes the one push, into a queue that `open_queue` declares with
    the options that the binding names.

    `publish` counts the copies that the subscribers of this process and the bound queues took. To these it adds one for
    each other process that the message was sent to, and one for each group whose turn fell to another process. It
    raises StoreError in two cases. If the relay could not be used, nobody in this process has the message; other
    processes may have it, if the connection broke in the middle. If a bound queue could not be used, everybody else has
    the message.

    Args:
        clock: Of the broker.
        connect: Returns a relay that calls what it is given for each message from another process.
        open_queue: Returns the queue of a name, declared with options.
    """

    def __init__(
        self, clock: Clock, connect: Callable[[Receive], Relay], open_queue: Callable[[str, QueueOptions], Queue]
    ) -> None:
        super().__init__(clock)
        self._open_queue = open_queue
        self._joined: set[Subscription] = set()
        self._relay = connect(self._receive)

    def subscribe(self, pattern: str, group: str | None, options: QueueOptions) -> Subscription:
        """See `Topics.subscribe`. Raises StoreError if the store cannot be reached; then nothing was subscribed."""
        subscription = super().subscribe(pattern, group, options)
        try:
            self._relay.join(pattern, group)
        except BaseException:
            subscription.close()
            raise
        self._joined.add(subscription)
        return subscription

    def bind(self, pattern: str, queue: Queue) -> None:
        """Push what any process publishes to `pattern` into `queue`: once, however many processes have bound it."""
        self._relay.bind(pattern, queue.name, queue.options)

    def close(self) -> None:
        """Close every subscription, and the relay."""
        self._joined.clear()
        super().close()
        self._relay.close()

    def address(
        self, topic: str, body: object, headers: Mapping[str, str] | None
    ) -> tuple[Message, int, Sequence[Buffer], Sequence[Queue], StoreError | None]:
        """See `Topics.address`. The other processes have the message when it returns, or it raises StoreError."""
        message, _, buffers, _, trouble = super().address(topic, body, headers)
        reached = self._relay.publish(topic, message)
        queues = []
        for name, options in reached.queues:
            try:
                queues.append(self._open_queue(name, options))
            except StoreError as error:
                trouble = trouble or error
        return message, reached.others, (*buffers, *self._buffers(reached.groups)), queues, trouble

    def _receive(self, message: Message, group: tuple[str, str] | None) -> None:
        if group is not None:
            buffers = self._buffers((group,))
        else:
            topic = message.headers["topic"]
            buffers, _ = self._routes.get(topic) or self._route(topic)
        offer(message, buffers)

    def _buffers(self, groups: Sequence[tuple[str, str]]) -> tuple[Buffer, ...]:
        with self._lock:
            return tuple(self._groups[key].buffer for key in groups if key in self._groups)

    def _targets(self) -> Iterator[tuple[str, Any]]:
        return ((pattern, shared) for (pattern, name), shared in self._groups.items() if isinstance(name, int))

    def _leave(self, key: tuple[str, str | int], member: Subscription) -> None:
        if member in self._joined:
            self._joined.discard(member)
            self._relay.leave(member.pattern, member.group)
        super()._leave(key, member)
