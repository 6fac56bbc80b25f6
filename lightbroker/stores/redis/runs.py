"""Running the scripts of one queue, and doing what their replies ask for: wake who waits, and look when time is up."""

import logging
from collections.abc import Sequence
from typing import Any

from lightbroker.core.clock import Clock
from lightbroker.core.errors import BrokerError
from lightbroker.core.store import Note
from lightbroker.stores.redis.commands import QueueCommands
from lightbroker.stores.redis.link import RedisLink
from lightbroker.stores.redis.records import BODY, FOLLOW_UP, FollowUp
from lightbroker.stores.redis.scripts import ScriptCall
from lightbroker.stores.redis.waiting import Line

log = logging.getLogger(__name__)

_AGAIN = 1.0  # seconds until a failed look at what is due is repeated


class QueueRuns:
    """What all methods of a queue have in common."""

    def __init__(self, link: RedisLink, commands: QueueCommands, name: str, clock: Clock, note: Note | None) -> None:
        self._link, self._commands = link, commands
        self._name, self._clock, self._note = name, clock, note
        self._closed = False
        self._alarm = clock.alarm(self._tick)
        self._line = Line(commands.channel, commands.own_channel, self._look, self._remind)

    def _do(self, request: ScriptCall, patience: float | None = None) -> list[Any]:
        return self._do_all((request,), patience)[0]

    def _do_all(self, requests: Sequence[ScriptCall], patience: float | None = None) -> list[list[Any]]:
        """Run scripts, and do what their replies ask for besides their answers."""
        try:
            replies = self._link.call_all(requests, 0.0 if self._closed else patience)
        except BaseException as error:
            if not isinstance(error, BrokerError) or len(requests) > 1 or any(request.again for request in requests):
                self._line.rouse()  # perhaps that was asked for in a reply that was lost, or that came with the error
            raise
        for request, reply in zip(requests, replies):
            self._take_note(request, reply)
        return replies

    def _take_note(self, request: ScriptCall, reply: list[Any]) -> None:
        if request.again:
            self._line.rouse()
        if asked := reply[FOLLOW_UP]:
            self._follow_up(FollowUp(*asked))

    def _follow_up(self, asked: FollowUp) -> None:
        if asked.look_in >= 0:
            self._remind(asked.look_in / 1e6)
        if asked.pullers or asked.pushers:
            self._line.call(asked.pullers, asked.pushers)
        if self._note is not None:
            at, words = self._clock.monotonic(), iter(word.decode() for word in asked.transitions)
            for id, tried, source, target, cause in zip(words, words, words, words, words):
                self._note(at, id, source, target, int(tried), cause)

    # What time does

    def _remind(self, seconds: float) -> None:
        when = self._clock.monotonic() + seconds
        if when < self._alarm.when and not self._closed:
            self._alarm.set(when)

    def _tick(self) -> None:
        try:
            self._catch_up(0.0)
        except BrokerError as error:
            if not self._closed:
                log.warning("queue %s: what is due could not be moved on; it is tried again: %s", self._name, error)
                self._remind(_AGAIN)

    def _look(self) -> None:
        """Pass a call on."""
        if not self._closed:
            self._tick()

    def _catch_up(self, patience: float | None = None) -> None:
        """Move on what fell due, and call who can go on."""
        while not self._closed:
            reply = self._do(self._commands.tick(), patience)
            if overdue := reply[BODY:]:
                self._end(overdue)
            elif FollowUp(*reply[FOLLOW_UP]).look_in != 0:
                return

    def _end(self, receipts: Sequence[bytes]) -> None:
        """End leases that ran out."""
        if receipts:
            self._do(self._commands.expire(receipts))
