"""Hearing what other processes publish: a thread whose connection subscribes to channels.

Redis does not tell a subscriber what it missed. So the thread itself finds out when it may miss something: it asks the
server for an answer every few seconds, and sees whether the address leads to another server by now. If the connection
is of no use, the thread connects again, and tells its handlers.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from redis.exceptions import ConnectionError as Disconnected

from lightbroker.core.errors import BrokerError, QueueClosed, StoreError
from lightbroker.stores.redis import call_retries
from lightbroker.stores.redis.call_retries import REDIS_ERRORS, pauses
from lightbroker.stores.redis.connections import Connections, ServerConnection

log = logging.getLogger(__name__)


class Handler(Protocol):
    """What a subscriber calls, in its thread, about the channels of one queue, or of the topics of a broker."""

    subscribed: bool  #: nothing that is published from now on is missed; the subscriber sets it

    def on_connect(self) -> Sequence[str]:
        """Return the channels to subscribe to on a new connection; the lock of the subscriber is held."""

    def on_subscribed(self) -> None:
        """Do what has to be done as soon as Redis has confirmed all these channels."""

    def on_message(self, data: bytes) -> None:
        """Deal with what was published to one of the channels."""

    def on_lost(self) -> None:
        """Deal with the end of a connection, whether its channels were confirmed or not."""


class Subscriber:
    """A thread with a connection of its own to where keys with the hash tag `tag` are.

    Args:
        connections: Where to get a connection.
        tag: Which node of a cluster to connect to.
        name: Of the thread.
        interval: Seconds after which to ask the server for an answer, again and again; at the next time without an
            answer the connection is given up.
        is_current: Called after an answer, in the thread, with the name of the server and whether messages came since
            the last time. Returns whether this is still the server to listen to.
    """

    def __init__(
        self, connections: Connections, tag: str, name: str, interval: float, is_current: Callable[[str, bool], bool]
    ) -> None:
        self._connections, self._tag, self._name = connections, tag, name
        self._interval, self._is_current = interval, is_current
        self._changed = threading.Condition(threading.RLock())  # guards what follows, and what is sent
        self._handlers: list[Handler] = []
        self._by_channel: dict[str, Handler] = {}
        self._last_channels: set[str] = set()  # of each handler: confirmed when all its channels are
        self._connection: ServerConnection | None = None
        self._thread: threading.Thread | None = None
        self._error: BaseException = StoreError("Redis confirms no subscription")
        self._closed = False

    def add(self, handler: Handler) -> None:
        """Subscribe for a handler, and for as long as this subscriber lives; does not wait for it."""
        with self._changed:
            if handler not in self._handlers:
                self._handlers.append(handler)
                self._subscribe(handler)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def subscribe(self, handler: Handler) -> None:
        """Return when the handler hears what is published from now on.

        Raises:
            StoreError: Redis cannot be reached.
            QueueClosed: The subscriber is closed.
        """
        if handler.subscribed:
            return
        self._connections.check_process()
        until = time.monotonic() + call_retries.PATIENCE
        self.add(handler)
        with self._changed:
            while not handler.subscribed:
                if self._closed:
                    raise QueueClosed("the broker is closed")
                if not self._changed.wait(until - time.monotonic()) and time.monotonic() >= until:
                    raise self._connections.retries.explain(self._error)

    def close(self, timeout: float = 0.0) -> None:
        """End the thread, and wait up to `timeout` seconds until it has ended."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._send("PING")  # the answer wakes the thread
        if self._thread is not None:
            self._thread.join(timeout)

    def _subscribe(self, handler: Handler) -> None:
        if self._connection is not None:
            channels = handler.on_connect()
            self._by_channel.update(dict.fromkeys(channels, handler))
            self._last_channels.add(channels[-1])
            self._send("SUBSCRIBE", *channels)

    def _send(self, *words: str) -> None:
        if self._connection is not None:
            with suppress(*REDIS_ERRORS):  # the thread meets them too
                self._connection.send_command(*words)

    def _run(self) -> None:
        waits = pauses()
        again = False
        while not self._closed:
            try:
                if again:
                    self._connections.find_nodes()
                again = True
                connection = self._connections.connect(self._tag)
                try:
                    self._listen(connection)
                finally:
                    if self._disconnect(connection):
                        waits = pauses()
            except (*REDIS_ERRORS, BrokerError) as error:
                self._error = error
                log.info("%s: no connection to Redis: %s", self._name, error)
            with self._changed:
                if not self._closed:
                    self._changed.wait(next(waits))

    def _disconnect(self, connection: ServerConnection) -> bool:
        """Close the connection, tell the handlers, and return whether any of them was subscribed."""
        with self._changed:
            self._connection = None
            connection.disconnect()
            handlers = tuple(self._handlers)
            subscribed = any(handler.subscribed for handler in handlers)
            for handler in handlers:
                handler.subscribed = False
        for handler in handlers:
            handler.on_lost()
        return subscribed

    def _listen(self, connection: ServerConnection) -> None:
        server = self._connections.identify(connection)
        with self._changed:
            self._connection = connection
            self._by_channel, self._last_channels = {}, set()
            for handler in self._handlers:
                self._subscribe(handler)
        asked = busy = False
        ask_at = time.monotonic() + self._interval
        while not self._closed:
            if connection.can_read(timeout=max(0.0, ask_at - time.monotonic())):
                busy |= self._receive(connection)
                if asked and not self._closed:  # the server answers now, and can be asked for more
                    if not self._is_current(server, busy):
                        raise Disconnected("the address leads to another server by now")
                    asked = busy = False
            if time.monotonic() >= ask_at:
                if asked:
                    raise Disconnected("the connection is silent")
                asked, ask_at = True, time.monotonic() + self._interval
                with self._changed:
                    self._send("PING")

    def _receive(self, connection: ServerConnection) -> bool:
        """Deal with what Redis sent, and return whether it was a message."""
        reply = connection.read_response()
        if not isinstance(reply, list):  # redis-py has connected again by itself, and subscribed to nothing
            raise Disconnected("the connection was replaced")
        kind, word, *rest = reply
        channel = word.decode()
        handler = self._by_channel.get(channel)
        if handler is None:
            return False
        if kind == b"message":
            try:
                handler.on_message(rest[0])
            except Exception:  # this thread must go on, whatever other programs publish
                log.exception("a message on channel %s makes no sense and was passed over", channel)
            return True
        if kind == b"subscribe" and channel in self._last_channels:  # they are confirmed in order
            handler.on_subscribed()
            with self._changed:
                handler.subscribed = True
                self._changed.notify_all()
        return False
