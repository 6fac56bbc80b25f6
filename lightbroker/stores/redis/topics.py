"""Topics that cross processes through Redis: every process that listens has a channel of its own, its inbox.

Redis keeps who listens to what: for each pattern, and each group on one, the list of inboxes. Whoever publishes knows
it too, up to a version: the script sends to the inboxes if that is still so, and answers with what is there now if not.
So a publish is one round trip, and what is published after `join` or `bind` has returned is not missed. Redis tells at
once how many hear what it is given for an inbox: a process that died is taken off the lists by the next publish. In a
cluster all of this is one slot, and the inboxes are listened to on its node.

A publish is not sent a second time if it may have been run. What is published while a process has no connection is
lost to it: it says so in the log, comes back with another inbox and has that listed. The same happens to one that reads
too slowly for the server's `client-output-buffer-limit`. While a cluster moves the slot, Redis counts only who listens
on the new node: until the next look a process may miss something, and two of a group may get the same.
"""

import json
import logging
import secrets
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import Any

from redis import exceptions

from lightbroker.core.errors import BrokerError
from lightbroker.core.message import Message
from lightbroker.core.policy import QueueOptions
from lightbroker.stores.redis.inbox import Inbox
from lightbroker.stores.redis.link import RedisLink, Wire, hang_up
from lightbroker.stores.redis.routes import Routes, binding_entry, read_group, subscription_entry
from lightbroker.stores.redis.scripts import TOPIC_SCRIPTS, Script
from lightbroker.stores.redis.trouble import TROUBLE, demoted
from lightbroker.stores.shared_topics import Reached

log = logging.getLogger(__name__)

_LEAVING = 1.0  # seconds for which leaving is tried; the next look of the inbox tries again
_NOT_RUN = exceptions.MovedError, exceptions.AskError, exceptions.BusyLoadingError


def _new_version() -> str:
    return secrets.token_hex(8)  # not a number: Redis may have lost its data, and must not come by an old one again


class RedisRelay:
    """See `Relay` for what each method promises. client: a name for this process that no other has."""

    def __init__(
        self,
        link: RedisLink,
        prefix: str,
        client: str,
        receive: Callable[[Message, tuple[str, str] | None], None],
    ) -> None:
        self._link, self._client, self._receive = link, client, receive
        self._tag = f"{{{prefix}: topics}}"  # with a space, which no queue's name has
        self._inbox = Inbox(link, self._tag, f"{self._tag}:inbox:{client}", self._take, self._enlist)
        self._scripts = {name: Script(name) for name in TOPIC_SCRIPTS}
        self._idle: deque[Wire] = deque()
        self._routes = Routes([])
        self._lock = threading.Lock()  # guards what follows, and that Redis is told of it in order
        self._turns: Counter[bytes] = Counter()  # zero: Redis has still to be told that there are none
        self._bound: dict[bytes, bytes] = {}

    def join(self, pattern: str, group: str | None) -> None:
        self._inbox.attend()
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
        entry, value = binding_entry(pattern, queue), options.to_json().encode()
        with self._lock:
            self._ask("topic_bind", (b"",), (entry, value, _new_version(), b""))
            self._bound[entry] = value
        self._inbox.begin()  # it also sees to it that the binding stays

    def publish(self, topic: str, message: Message) -> Reached:
        head = [self._client, message.id, message.timestamp, dict(message.headers)]
        text = json.dumps(head).encode() + b"\n" + message.body
        while True:
            routes = self._routes
            route = routes.find(topic)
            entries = (*route.plain, *route.groups)
            keys = (b"", *(b":list:" + entry for entry in entries))
            words = (routes.version, _new_version(), self._inbox.channel, text, len(route.plain), *entries)
            current, *answer = self._ask("topic_publish", keys, words, once=True)
            if current:
                others, *own = answer
                return Reached(others, tuple(filter(None, map(read_group, own))), route.queues)
            self._routes = Routes(answer[0])

    def close(self) -> None:
        self._inbox.close()
        hang_up(self._idle)

    def _take(self, data: bytes) -> None:
        """Deal with what another process, or another thread of this one, has published."""
        entry, head, body = data.split(b"\n", 2)
        client, id, timestamp, headers = json.loads(head)
        group = read_group(entry)
        # Our own comes here only while the inbox changes. Who is in no group has it already; a group's turn is a turn.
        if group is not None or client != self._client:
            self._receive(Message(id, body, timestamp, 1, MappingProxyType(headers)), group)

    def _enlist(self) -> bool:
        """Have the inbox listed under all that this process has joined; whether it was."""
        with self._lock:
            for entry, value in self._bound.items():
                self._ask("topic_bind", (b"",), (entry, value, _new_version(), b"1"))
            listed = [self._list(entry, turns) or not turns for entry, turns in self._turns.items()]
            self._turns = +self._turns  # without those that are zero
            return all(listed)

    def _list(self, entry: bytes, turns: int, patience: float | None = None) -> bool:
        channel = self._inbox.channel
        if not channel:  # the connection is lost; `_enlist` comes with the next one
            return False
        words = (entry, channel, turns, _new_version())
        return bool(self._ask("topic_join", (b"", b":list:" + entry), words, patience))

    def _ask(
        self, name: str, keys: Iterable[bytes], words: Iterable[Any], patience: float | None = None, once: bool = False
    ) -> Any:
        """Run a script; with `once`, not a second time if the first may have been run. Raises StoreError."""
        self._link.check_process()
        script = self._scripts[name]
        named = [self._tag.encode() + key for key in keys]

        def step(again: bool) -> Any:
            if again:
                self._link.renew()
            wire = self._wire()
            try:
                answer = self._run(wire, script, (len(named), *named, b"", *words))
            except _NOT_RUN as error:
                wire.disconnect()
                raise exceptions.ConnectionError(str(error)) from error
            except BaseException as error:
                wire.disconnect()
                if demoted(error):
                    hang_up(self._idle)
                if once and isinstance(error, TROUBLE):
                    raise self._link.explain(error) from error
                raise
            self._idle.append(wire)
            return answer

        return self._link.patiently(step, patience)

    @staticmethod
    def _run(wire: Wire, script: Script, arguments: tuple[Any, ...]) -> Any:
        try:
            wire.send_command("EVALSHA", script.sha, *arguments)
            return wire.read_response()
        except exceptions.NoScriptError:
            wire.send_command("EVAL", script.text, *arguments)
            return wire.read_response()

    def _wire(self) -> Wire:
        """A connection that Redis has not closed meanwhile."""
        while self._idle:
            wire = self._idle.pop()
            if not wire.can_read(timeout=0.0):  # nothing is to be read but the end of the connection
                return wire
            wire.disconnect()
        return self._link.dial(self._tag)
