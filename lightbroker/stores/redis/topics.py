"""Topics that cross processes through Redis: every process that subscribes has a channel of its own, its inbox.

Redis keeps a registry: for each pattern, and each group on one, the list of inboxes. A process that publishes knows the
registry too, up to a version. The script sends to the inboxes if that version still holds, and otherwise answers with
what is there now. So a publish is one round trip, and what is published after `join` or `bind` has returned is not
missed. Redis tells the script at once how many hear what it sends to an inbox: the next publish takes a process that
died off the lists. In a cluster all of this is one slot, and the processes listen to their inboxes on its node.

A publish is not sent a second time if it may have run. What is published while a process has no connection is lost to
it: it says so in the log, comes back with another inbox and has that listed. The same happens to a process that reads
too slowly for the server's `client-output-buffer-limit`. A process that Redis has forgotten, with all its data, is
listed again within seconds. While a cluster moves the slot, Redis counts only the connections to the new node. Until
its next look a process may miss something, and two members of a group may get the same message.
"""

import json
import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import Sequence
from itertools import count
from types import MappingProxyType

from lightbroker.core.errors import BrokerError
from lightbroker.core.message import Message
from lightbroker.core.policy import QueueOptions
from lightbroker.stores.redis.connections import Connections
from lightbroker.stores.redis.routes import Routes, binding_entry, read_group, subscription_entry
from lightbroker.stores.redis.scripts import TOPIC_SCRIPTS, BoundScript, ScriptCall
from lightbroker.stores.redis.subscriber import Subscriber
from lightbroker.stores.shared_topics import Reached, Receive

log = logging.getLogger(__name__)

CHECK_INTERVAL = 5.0  #: seconds after which it is seen to that the connection lives and Redis knows of this process
_LEAVING = 1.0  # seconds for which leaving is tried; the next look tries again
_CLOSING = 1.0  # seconds for which the end of the thread is waited for


def _new_version() -> bytes:
    # Not a number: Redis may have lost its data, and must not come by an old version again.
    return secrets.token_hex(8).encode()


class RedisRelay:
    """See `Relay` for what each method promises. It is the `Handler` of the inbox.

    Args:
        connections: To Redis.
        prefix: Keeps brokers that share a server apart.
        client: A name for this process that no other has.
        receive: Called for each message that another process has published.
    """

    def __init__(self, connections: Connections, prefix: str, client: str, receive: Receive) -> None:
        self._connections, self._client, self._receive = connections, client, receive
        self._tag = f"{{{prefix}: topics}}"  # with a space, with which no queue's name begins
        registry = {"registry": self._tag.encode()}
        self._scripts = {name: BoundScript(name, registry, {}) for name in TOPIC_SCRIPTS}
        self._subscriber = Subscriber(connections, self._tag, "lightbroker-topics", CHECK_INTERVAL, self._is_current)
        self.subscribed = False
        self._inbox = ""  # the channel that is listened to now, if any is
        self._next_inbox = ""
        self._numbers = count(1)
        self._lost: float | None = None  # since when nothing is heard
        self._closed = False
        self._routes = Routes([])
        self._lock = threading.Lock()  # guards what follows, and that Redis is told of it in order
        self._turns: Counter[bytes] = Counter()  # zero: Redis has still to be told that there are none
        self._bound: dict[bytes, bytes] = {}

    def join(self, pattern: str, group: str | None) -> None:
        self._subscriber.subscribe(self)
        entry = subscription_entry(pattern, group)
        with self._lock:
            self._turns.setdefault(entry, 0)  # if this fails, Redis may list it all the same
            self._list(entry, self._turns[entry] + 1)
            self._turns[entry] += 1

    def leave(self, pattern: str, group: str | None) -> None:
        entry = subscription_entry(pattern, group)
        with self._lock:
            self._turns.subtract((entry,))
            try:
                self._list(entry, self._turns[entry], _LEAVING)
            except BrokerError as error:
                log.info("topics: Redis could not be told yet that a subscription to %s ended: %s", pattern, error)
            else:
                if not self._turns[entry]:  # one that Redis may still list is kept
                    del self._turns[entry]

    def bind(self, pattern: str, queue: str, options: QueueOptions) -> None:
        entry, declared = binding_entry(pattern, queue), options.to_json().encode()
        with self._lock:
            self._connections.run(self._call("topic_bind", entry, declared, _new_version(), b""))
            self._bound[entry] = declared
        self._subscriber.add(self)  # its looks also see to it that the binding stays

    def publish(self, topic: str, message: Message) -> Reached:
        head = [self._client, message.id, message.timestamp, dict(message.headers)]
        text = json.dumps(head).encode() + b"\n" + message.body
        while True:
            routes = self._routes
            route = routes.find(topic)
            entries = (*route.plain, *route.groups)
            words = (routes.version, _new_version(), self._inbox.encode(), text, b"%d" % len(route.plain))
            call = self._call("topic_publish", *words, *entries, lists=entries)
            current, *answer = self._connections.run_once(call, self._tag)
            if current:
                others, *own = answer
                return Reached(others, tuple(filter(None, map(read_group, own))), route.queues)
            self._routes = Routes(answer[0])

    def close(self) -> None:
        self._closed = True
        self._subscriber.close(_CLOSING)

    # The inbox: these run in the thread of the subscriber.

    def on_connect(self) -> Sequence[str]:
        # Another channel for each connection: one that broke may still be counted as listening to the old one.
        self._next_inbox = f"{self._tag}:inbox:{self._client}-{next(self._numbers)}"
        return (self._next_inbox,)

    def on_subscribed(self) -> None:
        self._inbox = self._next_inbox
        self._list_all()
        if self._lost is not None:
            missed, self._lost = time.monotonic() - self._lost, None
            log.warning("topics: connected again; what others published for %.1f s is missed", missed)

    def on_message(self, data: bytes) -> None:
        entry, head, body = data.split(b"\n", 2)
        client, id, timestamp, headers = json.loads(head)
        group = read_group(entry)
        # What this process published comes here only while the inbox changes. Its subscribers in no group have the
        # message already, but the turn of a group has fallen to this process.
        if group is not None or client != self._client:
            self._receive(Message(id, body, timestamp, 1, MappingProxyType(headers)), group)

    def on_lost(self) -> None:
        listened, self._inbox = bool(self._inbox), ""
        if listened and not self._closed:
            self._lost = time.monotonic()
            log.warning("topics: the connection to Redis is lost; what others publish from now on is missed")

    def _is_current(self, server: str, busy: bool) -> bool:
        if not self._list_all():
            # It is listed again now. What is sent to the inbox from now on counts as received, so the connection is
            # given up only if it leads to another server than the one that has the lists.
            if self._connections.leads_elsewhere(self._tag, server):
                return False
            log.warning("topics: Redis had forgotten this process; what others published meanwhile is missed")
        return True

    def _list_all(self) -> bool:
        """Have the inbox listed under all that this process has joined; return whether it was."""
        with self._lock:
            for entry, declared in self._bound.items():
                self._connections.run(self._call("topic_bind", entry, declared, _new_version(), b"1"))
            listed = [self._list(entry, turns) or not turns for entry, turns in self._turns.items()]
            self._turns = +self._turns  # without those that are zero
            return all(listed)

    def _list(self, entry: bytes, turns: int, patience: float | None = None) -> bool:
        """Have the inbox listed for so many turns; return whether it was listed before."""
        inbox = self._inbox
        if not inbox:  # the connection is lost; `on_subscribed` lists everything with the next one
            return False
        words = (entry, inbox.encode(), b"%d" % turns, _new_version())
        return bool(self._connections.run(self._call("topic_join", *words, lists=(entry,)), patience))

    def _call(self, name: str, *arguments: bytes, lists: Sequence[bytes] = ()) -> ScriptCall:
        keys = [b"%b:list:%b" % (self._tag.encode(), entry) for entry in lists]
        return ScriptCall(self._scripts[name], keys, arguments)
