"""The topics of one broker: who gets what is published."""

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

from lightbroker.core.clock import Clock
from lightbroker.core.errors import QueueClosed, QueueFull, StoreError, check_name
from lightbroker.core.message import Message, check_headers, encode
from lightbroker.core.policy import QueueOptions
from lightbroker.core.queue import Queue
from lightbroker.core.stats import SubscriptionStats
from lightbroker.core.store import Store
from lightbroker.core.topic.buffer import Buffer, offer
from lightbroker.core.topic.pattern import MOST_ROUTES, Patterns, check_topic
from lightbroker.core.topic.subscription import Subscription
from lightbroker.core.waiting import wake


class _Group:
    """A buffer and the subscriptions that read it. Without a group name there is one."""

    def __init__(self, options: QueueOptions, buffer: Buffer) -> None:
        self.options = options
        self.buffer = buffer
        self.members: list[Subscription] = []


class Topics:
    """Subscribers and bound queues by pattern, and for each topic seen lately those that match.

    A subscriber is promised at most once, so its buffer is in memory, whatever store the broker's queues are in. A
    `SharedStore` adds subscribers in other processes.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._groups: dict[tuple[str, str | int], _Group] = {}
        self._bound: dict[tuple[str, str], Queue] = {}
        self._departed: dict[str, SubscriptionStats] = {}
        self._patterns: Patterns[_Group | Queue] = Patterns()
        self._routes: dict[str, tuple[tuple[Buffer, ...], tuple[Queue, ...]]] = {}
        self._closed = False
        self._keys = count()
        self._ids = map(f"{secrets.token_hex(6)}-".__add__, map(str, count(1)))

    def subscribe(self, pattern: str, group: str | None, options: QueueOptions) -> Subscription:
        """Return a new subscription to `pattern`. Those with the same pattern and group share one buffer.

        Raises:
            ValueError: The pattern is malformed, or the group was made with other options.
            QueueClosed: The broker is closed.
        """
        check_topic(pattern, wildcards=True)
        key = (pattern, next(self._keys) if group is None else check_name("group", group))
        with self._lock:
            if self._closed:  # `close` has already listed the subscriptions to close
                raise QueueClosed("the broker is closed")
            shared = self._groups.get(key)
            if shared is None:
                buffer = Buffer(f"{pattern}#{key[1]}", options, self._clock)
                shared = self._groups[key] = _Group(options, buffer)
                self._changed()
            elif shared.options != options:
                raise ValueError(f"group {group!r} on {pattern!r} was made with {shared.options}, not with {options}")
            subscription = Subscription(pattern, group, shared.buffer, lambda member: self._leave(key, member))
            shared.members.append(subscription)
            return subscription

    def bind(self, pattern: str, queue: Queue) -> None:
        """Push what is published to `pattern` into `queue` as well; twice is the same as once."""
        with self._lock:
            self._bound[pattern, queue.name] = queue
            self._changed()

    def publish(self, topic: str, body: object, headers: Mapping[str, str] | None) -> int:
        """Offer one message to every match.

        Returns:
            How many took it.

        Raises:
            StoreError: A bound queue failed. Every other match has the message.
        """
        message, copies, buffers, queues, trouble = self.address(topic, body, headers)
        copies += offer(message, buffers)
        for queue in queues:
            try:
                with suppress(QueueFull):  # a queue that refuses keeps nothing from the others; its stats count it
                    copies += queue.push(message.body, headers=message.headers) is not None
            except StoreError as error:
                trouble = trouble or error
        if trouble is not None:
            raise trouble
        return copies

    def address(
        self, topic: str, body: object, headers: Mapping[str, str] | None
    ) -> tuple[Message, int, Sequence[Buffer], Sequence[Queue], StoreError | None]:
        """Return the message to publish, and who is to get it.

        The message's header `topic` names where it was published.

        Returns:
            The message, how many have it already, the buffers and the queues that are to get it, and the error to raise
            in the end for a queue that could not be opened.
        """
        data = encode(body)
        try:
            buffers, queues = self._routes[topic]
        except (KeyError, TypeError):
            buffers, queues = self._route(topic)
        kept = {**check_headers(headers), "topic": topic}
        if headers:
            check_headers(kept)  # now, because a bound queue would refuse them when others have the message already
        message = Message(next(self._ids), data, self._clock.time(), 1, MappingProxyType(kept))
        return message, 0, buffers, queues, None

    def stats(self) -> tuple[tuple[SubscriptionStats, ...], tuple[SubscriptionStats, ...]]:
        """Return one entry for each buffer, and the sums of those that are gone; see `BrokerStats`."""
        with self._lock:
            return tuple(shared.members[0].stats() for shared in self._groups.values()), tuple(self._departed.values())

    def check(self) -> None:
        """Raise InvariantError if the law does not hold for a buffer."""
        with self._lock:
            for shared in self._groups.values():
                shared.buffer.check()

    def close(self) -> None:
        """Close every subscription."""
        with self._lock:
            self._closed = True
            members = [member for shared in self._groups.values() for member in shared.members]
        for member in members:
            member.close()

    def _leave(self, key: tuple[str, str | int], member: Subscription) -> None:
        with self._lock:
            shared = self._groups[key]
            shared.members.remove(member)
            # Threads that wait for this member see that it has left; those of other members wait on.
            wake(shared.buffer.pullers, len(shared.buffer.pullers))
            if not shared.members:
                del self._groups[key]
                self._changed()
                if member.group is None:
                    self._remember(member.stats())
                shared.buffer.close()

    def _remember(self, gone: SubscriptionStats) -> None:
        """Keep the counts of a subscriber that left while others listen to the same pattern, so that their sum never
        falls.
        """
        earlier = self._departed.pop(gone.pattern, None)
        if any(pattern == gone.pattern and isinstance(member, int) for pattern, member in self._groups):
            gone = replace(gone, buffered=0)
            self._departed[gone.pattern] = gone + earlier if earlier else gone

    def _changed(self) -> None:
        self._patterns = Patterns(self._targets())
        self._routes = {}  # a new dict: a publish that is running keeps what it looked up

    def _targets(self) -> Iterator[tuple[str, Any]]:
        return ((key[0], target) for key, target in (*self._groups.items(), *self._bound.items()))

    def _route(self, topic: str) -> tuple[tuple[Buffer, ...], tuple[Queue, ...]]:
        with self._lock:
            targets = self._patterns.match(topic)
            if len(self._routes) >= MOST_ROUTES:
                self._routes = {}
            self._routes[topic] = (
                tuple(target.buffer for target in targets if isinstance(target, _Group)),
                tuple(dict.fromkeys(target for target in targets if isinstance(target, Queue))),  # one copy each
            )
            return self._routes[topic]


@runtime_checkable
class SharedStore(Store, Protocol):
    """A store whose topics cross processes as well; `lightbroker.stores.shared_topics` has what they share."""

    def topics(self, clock: Clock, open_queue: Callable[[str, QueueOptions], Queue]) -> Topics:
        """Return the topics of this process; called once.

        Args:
            clock: Where time comes from.
            open_queue: Opens the queue of a name for a binding that another process made, with the options it had.
        """
