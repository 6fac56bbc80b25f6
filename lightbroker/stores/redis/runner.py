"""Waiting for what comes from this process or another one, without asking again and again.

A pull that finds nothing, or a push that finds no room, has its process listed in Redis by the very script that looked
in vain. So nothing that comes later is missed. A script that makes a message READY, or makes room, takes the process
that has waited longest off the list. It publishes to the channel of that process how many of its threads should try
again. Redis tells the script at once if nobody listens to the channel any more; then the script takes the next process.

A process that was told to try again may die before it does. So the other processes hear of it on the channel of the
queue, and look once, a second later. On that channel they also hear that something falls due, and when. After a lost
connection, every waiter retries.
"""

import logging
from collections import deque
from collections.abc import Sequence
from typing import Any

from lightbroker.core.clock import Clock
from lightbroker.core.errors import BrokerError
from lightbroker.core.store import Note
from lightbroker.core.waiting import Waiters, wake
from lightbroker.stores.redis.commands import QueueCommands
from lightbroker.stores.redis.connections import Connections
from lightbroker.stores.redis.records import BODY, FOLLOW_UP, FollowUp
from lightbroker.stores.redis.scripts import ScriptCall

log = logging.getLogger(__name__)

GRACE = 1.0  #: seconds after which the others look whether the process that was told to try again has come
CHECK_INTERVAL = 15.0  #: seconds after which a silent connection is tested: one that broke unnoticed would never tell
_AGAIN = 1.0  # seconds until a failed look at what is due is repeated


class QueueRunner:
    """Runs the scripts of one queue, and wakes its waiters: after a reply, a message from another process, or in time.

    It is the `Handler` of the queue's channels.
    """

    def __init__(
        self, connections: Connections, commands: QueueCommands, name: str, clock: Clock, note: Note | None
    ) -> None:
        self._connections, self._commands = connections, commands
        self._name, self._clock, self._note = name, clock, note
        self.pullers: Waiters = deque()
        self.pushers: Waiters = deque()
        self.subscribed = False
        self._closed = False
        self._alarm = clock.alarm(self._tick)

    def run(self, call: ScriptCall, patience: float | None = None) -> list[Any]:
        """Run a script and return its reply; see `run_all`."""
        return self.run_all((call,), patience)[0]

    def run_all(self, calls: Sequence[ScriptCall], patience: float | None = None) -> list[list[Any]]:
        """Run scripts, do what their replies ask for besides, and return the replies; see `Connections.run_all`."""
        try:
            replies = self._connections.run_all(calls, 0.0 if self._closed else patience)
        except BaseException as error:
            # Perhaps a reply that was lost, or that came with the error, asked to wake somebody.
            if not isinstance(error, BrokerError) or len(calls) > 1 or any(call.again for call in calls):
                self.wake_all()
            raise
        for call, reply in zip(calls, replies):
            if call.again:
                self.wake_all()  # perhaps the reply that was lost asked to
            if reply[FOLLOW_UP]:
                self._follow_up(FollowUp(*reply[FOLLOW_UP]))
        return replies

    def _follow_up(self, asked: FollowUp) -> None:
        if asked.look_in >= 0:
            self.look_in(asked.look_in / 1e6)
        if asked.pullers or asked.pushers:
            self._wake(asked.pullers, asked.pushers)
        if self._note is not None:
            at, words = self._clock.monotonic(), iter(word.decode() for word in asked.transitions)
            for id, attempt, source, target, cause in zip(words, words, words, words, words):
                self._note(at, id, source, target, int(attempt), cause)

    # Waking

    def _wake(self, pullers: int, pushers: int) -> None:
        """Let so many waiters try again. Where nobody waits any more, other processes are woken instead."""
        for waiters, many in ((self.pullers, pullers), (self.pushers, pushers)):
            if many and waiters:
                wake(waiters, many)
            elif many and not self._closed:
                self._tick()

    def wake_all(self) -> None:
        """Let every waiter try again."""
        for waiters in (self.pullers, self.pushers):
            wake(waiters, len(waiters))

    def on_connect(self) -> tuple[str, str]:
        """Return the channel of the queue and that of this process at the queue."""
        return self._commands.channel, self._commands.own_channel

    def on_subscribed(self) -> None:
        """Nothing was missed: a process is listed as waiting only while it is subscribed."""

    def on_message(self, data: bytes) -> None:
        """Deal with what a script published; see `lua/schema.lua`."""
        word, _, number = data.decode().partition(" ")
        if word == "called":
            self.look_in(GRACE)
        elif word == "due":
            self.look_in(int(number) / 1e6)
        else:
            self._wake(*((int(number), 0) if word == "pull" else (0, int(number))))

    def on_lost(self) -> None:
        """Let every waiter try again: it has itself listed anew, and nothing is missed."""
        self.wake_all()

    # What time does

    def look_in(self, seconds: float) -> None:
        """Look at what fell due so many seconds from now at the latest."""
        when = self._clock.monotonic() + seconds
        if when < self._alarm.when and not self._closed:
            self._alarm.set(when)

    def _tick(self) -> None:
        try:
            self.catch_up(0.0)
        except BrokerError as error:
            if not self._closed:
                log.warning("queue %s: what is due could not be moved on; it is tried again: %s", self._name, error)
                self.look_in(_AGAIN)

    def catch_up(self, patience: float | None = None) -> None:
        """Move on what fell due, end leases that expired, and wake the waiters that can go on."""
        while not self._closed:
            reply = self.run(self._commands.tick(), patience)
            if expired := reply[BODY:]:
                self.expire_leases(expired)
            elif FollowUp(*reply[FOLLOW_UP]).look_in != 0:
                return

    def expire_leases(self, receipts: Sequence[bytes]) -> None:
        """End leases that expired: each message is retried, or DEAD after its last attempt."""
        if receipts:
            self.run(self._commands.expire(receipts))

    def close(self) -> None:
        """Look at nothing more. Calls are not tried again from now on."""
        self._closed = True
        self._alarm.cancel()
