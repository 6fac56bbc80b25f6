"""Topics whose subscribers live in several processes, over a store that carries messages between them."""

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
        """One more subscriber in this process: what is published to `pattern` from now on is received here.

        Of a group, this process has as many turns as it has members.
        """

    def leave(self, pattern: str, group: str | None) -> None:
        """One less."""

    def bind(self, pattern: str, queue: str, options: QueueOptions) -> None:
        """From now on, in whatever process, what is published to `pattern` is to be pushed into `queue` as well."""

    def publish(self, topic: str, message: Message) -> Reached:
        """Send to every other process that listens; one step, in which each group's turn falls to one process."""

    def close(self) -> None:
        """Receive nothing more."""


class SharedTopics(Topics):
    """What is published reaches the subscribers of this process directly, and those of others through the relay.

    A subscriber's buffer stays in its process, with its bound and its policy; if that is BLOCK, publishers of the same
    process wait, those of others do not. A group is shared by the members of all processes: each message goes to one
    process, in turn, and there to one member. A binding belongs to the store and outlives its maker: whoever publishes
    makes the one push, into a queue that `open_queue` declares as the maker of the binding had it.

    `publish` counts the copies that subscribers of this process and bound queues took, and one for each other process,
    and each group in another process, that was sent to. If it raises StoreError, either the relay could not be used:
    nobody in this process has the message, others may, if the connection broke in the middle. Or a bound queue could
    not: everybody else has it.
    """

    def __init__(
        self, clock: Clock, connect: Callable[[Receive], Relay], open_queue: Callable[[str, QueueOptions], Queue]
    ) -> None:
        super().__init__(clock)
        self._open_queue = open_queue
        self._joined: set[Subscription] = set()
        self._relay = connect(self._receive)

    def subscribe(self, pattern: str, group: str | None, options: QueueOptions) -> Subscription:
        """See `Topics.subscribe`. Raises StoreError if the store cannot be reached; then nobody has subscribed."""
        subscription = super().subscribe(pattern, group, options)
        try:
            self._relay.join(pattern, group)
        except BaseException:
            subscription.close()
            raise
        self._joined.add(subscription)
        return subscription

    def bind(self, pattern: str, queue: Queue) -> None:
        """Push what any process publishes to `pattern` into `queue`, once however many processes have bound it."""
        self._relay.bind(pattern, queue.name, queue.options)

    def close(self) -> None:
        """Close every subscription and the relay, which forgets all that this process has joined."""
        self._joined.clear()
        super().close()
        self._relay.close()

    def address(
        self, topic: str, body: object, headers: Mapping[str, str] | None
    ) -> tuple[Message, int, Sequence[Buffer], Sequence[Queue], StoreError | None]:
        """See `Topics.address`; the other processes have the message then, or it raises StoreError."""
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
