"""The channel on which a process hears what others publish to its topics, and the thread that listens to it."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

from redis import exceptions

from lightbroker.core.errors import BrokerError, QueueClosed, StoreError
from lightbroker.stores.redis import link as redis_link
from lightbroker.stores.redis.link import RedisLink, Wire, pauses
from lightbroker.stores.redis.trouble import TROUBLE

log = logging.getLogger(__name__)

LOOK = 5.0  #: seconds after which it is seen to that the connection lives and Redis knows of this process
_CLOSING = 1.0  # seconds for which the end of the thread is waited for


class Inbox:
    """Listens to a channel whose name begins with `name`, another one on each new connection.

    take: called with what arrives, in the thread; enlist: called there when the channel is listened to and again every
    few seconds, to have it listed where others find it, and to tell whether it had been.
    """

    def __init__(
        self, link: RedisLink, tag: str, name: str, take: Callable[[bytes], object], enlist: Callable[[], bool]
    ) -> None:
        self._link, self._tag, self._name, self._take, self._enlist = link, tag, name, take, enlist
        self._numbers = count(1)
        self._changed = threading.Condition()  # guards what follows, and what is sent
        self.channel = ""  #: what is listened to now, if anything is
        self._connection: Wire | None = None
        self._thread: threading.Thread | None = None
        self._error: BaseException = StoreError("Redis confirms no subscription")
        self._lost: float | None = None  #: since when nothing is heard
        self._closed = False

    def begin(self) -> None:
        """Listen from now on, in a thread."""
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="lightbroker-topics", daemon=True)
                self._thread.start()

    def attend(self) -> None:
        """Return when the channel is listened to; raises StoreError if Redis cannot be reached, and QueueClosed."""
        self.begin()
        until = time.monotonic() + redis_link.PATIENCE
        with self._changed:
            while not self.channel:
                if self._closed:
                    raise QueueClosed("the broker is closed")
                if not self._changed.wait(until - time.monotonic()) and time.monotonic() >= until:
                    raise self._link.explain(self._error)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._send("PING")  # the answer wakes it
        if self._thread is not None:
            self._thread.join(_CLOSING)

    def _send(self, *words: str) -> None:
        if self._connection is not None:
            with suppress(*TROUBLE):  # the thread meets them too
                self._connection.send_command(*words)

    def _run(self) -> None:
        waits = iter(pauses())
        again = False
        while not self._closed:
            try:
                if again:
                    self._link.renew()
                again = True
                connection = self._link.dial(self._tag)
                try:
                    self._listen(connection)
                finally:
                    if self._lose(connection):
                        waits = iter(pauses())
            except (*TROUBLE, BrokerError) as error:
                self._error = error
                log.info("topics: no connection to Redis: %s", error)
            with self._changed:
                if not self._closed:
                    self._changed.wait(next(waits))

    def _lose(self, connection: Wire) -> bool:
        """Hang up; whether the channel was listened to until now."""
        with self._changed:
            listened = bool(self.channel)
            self.channel, self._connection = "", None
            connection.disconnect()
            if listened and not self._closed:
                self._lost = time.monotonic()
                log.warning("topics: the connection to Redis is lost; what others publish from now on is missed")
            return listened

    def _listen(self, connection: Wire) -> None:
        server = self._link.identify(connection)
        channel = f"{self._name}-{next(self._numbers)}"
        connection.send_command("SUBSCRIBE", channel)
        connection.read_response()
        with self._changed:
            self.channel, self._connection = channel, connection
        self._enlist()
        with self._changed:
            self._changed.notify_all()
        if self._lost is not None:
            missed, self._lost = time.monotonic() - self._lost, None
            log.warning("topics: connected again; what others published for %.1f s is missed", missed)
        heard, look = True, time.monotonic() + LOOK
        while not self._closed:
            if connection.can_read(timeout=max(0.0, look - time.monotonic())):
                heard = True
                self._deal(connection.read_response())
            if time.monotonic() >= look:
                if not heard:
                    raise exceptions.ConnectionError("the connection is silent")
                if not self._enlist():
                    # It is listed again now. What is sent here from now on counts as received, so the connection is
                    # given up only if it leads to another server than the one that has the list.
                    if self._link.leads_elsewhere(self._tag, server):
                        raise exceptions.ConnectionError("the address leads to another server by now")
                    log.warning("topics: Redis had forgotten this process; what others published meanwhile is missed")
                heard, look = False, time.monotonic() + LOOK
                with self._changed:
                    self._send("PING")

    def _deal(self, message: list[Any]) -> None:
        if message[0] == b"message":
            try:
                self._take(message[2])
            except Exception:  # whoever sent it: this thread must go on
                log.exception("topics: a message that makes no sense was passed over")
