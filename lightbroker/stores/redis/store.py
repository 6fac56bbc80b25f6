"""The store in Redis, 6.2 or later: processes on several machines share its queues.

Each transition is one script, so it happens as a whole or not at all, in one round trip; what it survives depends on
how Redis keeps its data (`appendfsync always`: whatever was answered). Leases, delays and times-to-live end by the
clock of the server, unless one that was made for the purpose is injected. Capacity and counts are those of Redis; the
other options of a queue are each process's own and apply to what it does itself; Redis remembers them for those who
only look after the queue.

When a connection breaks, a request is sent again, for half a minute. A push is never entered twice, an ack or another
settlement whose reply was lost is not taken for late while its lease still holds, and a pull gets what its first try
leased. Only what such a call raises in the end, a StoreError, leaves open whether it was done; and a redrive or purge
may do more than it tells.
"""

import logging
import secrets
from collections.abc import Callable
from functools import partial

from lightbroker.core.clock import Clock
from lightbroker.core.policy import QueueOptions
from lightbroker.core.queue import Queue
from lightbroker.core.store import Note
from lightbroker.stores.redis.commands import QueueCommands
from lightbroker.stores.redis.link import RedisLink
from lightbroker.stores.redis.queue import RedisQueue
from lightbroker.stores.redis.topics import RedisRelay
from lightbroker.stores.redis.url import read_url
from lightbroker.stores.redis.waiting import Listener
from lightbroker.stores.shared_topics import SharedTopics

log = logging.getLogger(__name__)


def open_store(url: str) -> "RedisStore":
    """The store that `redis://[user:password@]host[:port][/database][?prefix=…]` names, or `rediss://` for TLS.

    prefix: keeps brokers that share a server apart. A server that belongs to a cluster leads to all of it. Raises
    ValueError naming what the URL has wrong, and StoreError for a server that cannot be used.
    """
    return RedisStore(url)


class RedisStore:
    """Queues in the Redis server or cluster at `url`; see `open_store`."""

    def __init__(self, url: str) -> None:
        address = read_url(url)
        self._prefix = address.prefix
        self._link = RedisLink(address)
        self._client = secrets.token_hex(6)  # a name for this process that no other has
        self._listeners: dict[str, Listener] = {}
        if self._link.warning:
            log.warning("%s", self._link.warning)

    def queue(self, name: str, options: QueueOptions, clock: Clock, note: Note | None) -> RedisQueue:
        """Open the queue; raises ValueError if Redis holds it with other bounds, StoreError for another's keys."""
        commands = QueueCommands(self._prefix, name, options, clock, note is not None, self._client)
        # Each queue of a cluster has its node; there, too, Redis can tell only of those who listen on the same node.
        place = commands.channel if self._link.clustered else ""
        listener = self._listeners.setdefault(place, Listener(self._link, commands.channel))
        return RedisQueue(self._link, listener, commands, name, options, clock, note)

    def declared(self) -> dict[str, QueueOptions]:
        """The queues with the prefix; every key of the server is looked at, some milliseconds for ten thousand."""
        found = self._link.hashes(f"{{{self._prefix}:*}}", "options")
        start = len(self._prefix) + 2
        return {key[start:-1].decode(): QueueOptions.from_json(text.decode()) for key, text in sorted(found.items())}

    def topics(self, clock: Clock, open_queue: Callable[[str, QueueOptions], Queue]) -> SharedTopics:
        """Return the topics of this process; see `SharedStore`."""
        return SharedTopics(clock, partial(RedisRelay, self._link, self._prefix, self._client), open_queue)

    def close(self) -> None:
        """Close the connections."""
        for listener in self._listeners.values():
            listener.close()
        self._link.close()
