"""Waiting for what comes from this process or another one, without asking again and again.

A pull that finds nothing, or a push that finds no room, has its process listed in Redis by the very script that looked
in vain, so that nothing which comes later is missed. The script that changes matters calls the process that has waited
longest by publishing to a channel of its own; Redis tells it at once if nobody listens there any more, and it calls
the next. Each process has one thread that listens, and wakes one of those that wait.

The one that was called may die before it comes. So the others hear of the call too, on the channel of the queue, and
look once, a second later; also, what falls due and when. Whoever loses the connection lets all that wait try again; so
does who hears nothing for a while and finds that the address leads to another server by now.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from redis.exceptions import ConnectionError as Disconnected

from lightbroker.core.errors import QueueClosed, StoreError
from lightbroker.core.waiting import Sleepers, rouse
from lightbroker.stores.redis import link as redis_link
from lightbroker.stores.redis.link import RedisLink, Wire, pauses
from lightbroker.stores.redis.trouble import TROUBLE

log = logging.getLogger(__name__)

GRACE = 1.0  #: seconds after which others see whether the process that was called has come
_SILENCE = 15.0  # seconds after which a silent connection is tested: one that broke unnoticed would never tell


class Line:
    """Where the threads of one queue wait.

    channel: of news for everybody who waits; own_channel: of calls for this process; look: called to pass on a call
    for which nobody waits any more; remind: called with the seconds after which to look.
    """

    def __init__(
        self, channel: str, own_channel: str, look: Callable[[], object], remind: Callable[[float], object]
    ) -> None:
        self.channels = channel, own_channel
        self.pullers: Sleepers = deque()
        self.pushers: Sleepers = deque()
        self.heard = False  #: Redis has confirmed that it will tell us
        self._look, self._remind = look, remind

    def call(self, pullers: int, pushers: int) -> None:
        """Let so many of those who wait try again; if there are none, others may."""
        for sleepers, many in ((self.pullers, pullers), (self.pushers, pushers)):
            if many and sleepers:
                rouse(sleepers, many)
            elif many:
                self._look()

    def hear(self, word: str, number: str) -> None:
        """Deal with what was published."""
        if word == "called":
            self._remind(GRACE)
        elif word == "due":
            self._remind(int(number) / 1e6)
        else:
            self.call(*((int(number), 0) if word == "pull" else (0, int(number))))

    def rouse(self) -> None:
        """Let all try again."""
        for sleepers in (self.pullers, self.pushers):
            rouse(sleepers, len(sleepers))


class Listener:
    """The thread that listens, on a connection of its own to where the queue of the hash tag `tag` lives."""

    def __init__(self, link: RedisLink, tag: str) -> None:
        self._link, self._tag = link, tag
        self._lines: dict[str, Line] = {}  # by each of their channels
        self._changed = threading.Condition(threading.RLock())  # guards all of this, and what is sent
        self._connection: Wire | None = None
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._closed = False

    def attend(self, line: Line) -> None:
        """Return when `line` hears what is published from now on.

        Raises StoreError if Redis cannot be reached, and QueueClosed.
        """
        if line.heard:
            return
        self._link.check_process()
        until = time.monotonic() + redis_link.PATIENCE
        with self._changed:
            if line.channels[0] not in self._lines:
                self._lines.update(dict.fromkeys(line.channels, line))
                self._send("SUBSCRIBE", *line.channels)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="lightbroker-redis", daemon=True)
                self._thread.start()
            while not line.heard:
                if self._closed:
                    raise QueueClosed("the broker is closed")
                if not self._changed.wait(until - time.monotonic()) and time.monotonic() >= until:
                    raise self._link.explain(self._error or StoreError("Redis confirms no subscription"))

    def _send(self, *words: str) -> None:
        if self._connection is not None:
            with suppress(*TROUBLE):  # the thread meets them too
                self._connection.send_command(*words)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._send("PING")  # the answer wakes the thread

    def _run(self) -> None:
        waits = pauses()
        while not self._closed:
            try:
                connection = self._link.dial(self._tag)
            except (*TROUBLE, StoreError) as error:
                self._error = error
            else:
                waits = pauses()
                try:
                    self._listen(connection)
                except (*TROUBLE, StoreError) as error:
                    self._error = error
                finally:
                    self._lose(connection)
            with self._changed:
                if not self._closed:
                    self._changed.wait(next(waits))

    def _lose(self, connection: Wire) -> None:
        with self._changed:
            self._connection = None
            connection.disconnect()
            for line in self._lines.values():
                line.heard = False
                line.rouse()

    def _listen(self, connection: Wire) -> None:
        server = self._link.identify(connection)
        with self._changed:
            self._connection = connection
            self._send("SUBSCRIBE", *self._lines)
        asked = False
        while not self._closed:
            if connection.can_read(timeout=_SILENCE):
                self._deal(connection.read_response())
                # Perhaps nobody calls us here: after a fail-over, the server that was the primary may live on.
                if asked and not self._closed and self._leads_elsewhere(server):
                    raise Disconnected("the address leads to another server by now")
                asked = False
            elif asked:
                raise Disconnected("the connection went silent")
            else:
                asked = True
                with self._changed:
                    self._send("PING")

    def _leads_elsewhere(self, server: str) -> bool:
        with suppress(*TROUBLE):  # a connection that answers is kept if nobody can tell
            return self._link.leads_elsewhere(self._tag, server)
        return False

    def _deal(self, message: list[bytes]) -> None:
        kind, channel, *data = message
        line = self._lines.get(channel.decode())
        if kind == b"message" and line is not None:
            try:
                word, _, number = data[0].decode().partition(" ")
                line.hear(word, number)
            except Exception:  # whoever sent it: this thread must go on
                log.exception("a call to %s that makes no sense was passed over", line.channels[0])
        elif kind == b"subscribe" and line is not None and channel.decode() == line.channels[-1]:
            with self._changed:  # the last of its channels: they are confirmed in order
                line.heard = True
                self._changed.notify_all()
