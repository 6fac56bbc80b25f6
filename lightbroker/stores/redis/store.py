"""The store in Redis, 6.2 or later: processes on several machines share its queues.

Each transition is one script, so it happens as a whole or not at all, in one round trip. What it survives depends on
how Redis keeps its data (`appendfsync always`: whatever was answered). Leases, delays and times-to-live end by the
clock of the server, unless another clock is injected. Capacity and counts are those of Redis. The other options of a
queue are each process's own and apply to what it does itself; Redis remembers them for programs that only look at the
queue.

When a connection breaks, a call is sent again, for half a minute. A push is never entered twice. An ack or another
settlement whose reply was lost is not taken for late while its lease still holds. A pull gets what its first try
leased. Only if such a call raises in the end, a StoreError, it stays open whether it was done; and a redrive or purge
may do more than it tells.
"""

import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from lightbroker.core.clock import Clock
from lightbroker.core.policy import QueueOptions
from lightbroker.core.queue import Queue
from lightbroker.core.store import Note
from lightbroker.stores.redis import runner
from lightbroker.stores.redis.call_retries import REDIS_ERRORS
from lightbroker.stores.redis.commands import QueueCommands
from lightbroker.stores.redis.connections import Connections
from lightbroker.stores.redis.queue import RedisQueue
from lightbroker.stores.redis.runner import QueueRunner
from lightbroker.stores.redis.subscriber import Subscriber
from lightbroker.stores.redis.topics import RedisRelay
from lightbroker.stores.redis.url import read_url
from lightbroker.stores.shared_topics import SharedTopics

log = logging.getLogger(__name__)


def open_store(url: str) -> "RedisStore":
    """Open the store that a URL names.

    Args:
        url: `redis://[user:password@]host[:port][/database][?prefix=…]`, or `rediss://` for TLS. The prefix keeps
            brokers that share a server apart. A server that belongs to a cluster leads to all of it.

    Raises:
        ValueError: The URL makes no sense; the error says why.
        StoreError: The server cannot be used.
    """
    return RedisStore(url)


class RedisStore:
    """Queues in the Redis server or cluster at `url`; see `open_store`."""

    def __init__(self, url: str) -> None:
        address = read_url(url)
        self._prefix = address.prefix
        self._connections = Connections(address)
        self._client = secrets.token_hex(6)  # a name for this process that no other has
        self._subscribers: dict[str, Subscriber] = {}
        if self._connections.warning:
            log.warning("%s", self._connections.warning)

    def queue(self, name: str, options: QueueOptions, clock: Clock, note: Note | None) -> RedisQueue:
        """Open the queue; raises ValueError if Redis holds it with other bounds, StoreError for another's keys."""
        commands = QueueCommands(self._prefix, name, options, clock, note is not None, self._client)
        # One subscriber for all queues, but in a cluster one for each: a queue has its node there, and the scripts can
        # wake only processes that listen on the same node.
        place = commands.channel if self._connections.clustered else ""
        subscriber = self._subscribers.setdefault(place, self._subscriber(commands.channel))
        runner = QueueRunner(self._connections, commands, name, clock, note)
        return RedisQueue(runner, subscriber, commands, name, options, clock)

    def _subscriber(self, tag: str) -> Subscriber:
        def is_current(server: str, busy: bool) -> bool:
            with suppress(*REDIS_ERRORS):  # a connection that answers is kept if nobody can tell
                return busy or not self._connections.leads_elsewhere(tag, server)
            return True

        return Subscriber(self._connections, tag, "lightbroker-redis", runner.CHECK_INTERVAL, is_current)

    def declared(self) -> dict[str, QueueOptions]:
        """Return the queues with the prefix; it looks at every key of the server, some ms for ten thousand."""
        self._connections.check_process()
        found = self._connections.retries.call(lambda again: self._find_queues(), None)
        start = len(self._prefix) + 2
        return {key[start:-1].decode(): QueueOptions.from_json(text.decode()) for key, text in sorted(found.items())}

    def _find_queues(self) -> dict[bytes, bytes]:
        """Return the declared options by the key of each queue's hash."""
        found = {}
        for connection in self._connections.each_server():
            cursor = b"0"
            while True:
                pattern = f"{{{self._prefix}:*}}"
                connection.send_command("SCAN", cursor, "MATCH", pattern, "COUNT", "1000", "TYPE", "hash")
                cursor, keys = connection.read_response()
                for key in keys:
                    connection.send_command("HGET", key, "options")
                    declared = connection.read_response()
                    if declared is not None:
                        found[key] = declared
                if cursor == b"0":
                    break
        return found

    def topics(self, clock: Clock, open_queue: Callable[[str, QueueOptions], Queue]) -> SharedTopics:
        """Return the topics of this process; see `SharedStore`."""
        return SharedTopics(clock, partial(RedisRelay, self._connections, self._prefix, self._client), open_queue)

    def close(self) -> None:
        """Close the connections."""
        for subscriber in self._subscribers.values():
            subscriber.close()
        self._connections.close()
