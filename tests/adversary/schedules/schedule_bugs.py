"""Queues with one bug each, of the kind that a review lets pass: two steps where there must be one.

The explorer has to find every one of them; if it does not, what it says about the real queue is worth nothing.
"""

from collections.abc import Iterable
from typing import Any

from lightbroker import Delivery, LeaseLost
from lightbroker.core.memory.failing import Failing
from lightbroker.core.memory.queue import MemoryQueue
from lightbroker.core.message import Leased, Message
from tests.adversary.parts import failing
from tests.adversary.schedules.schedule_races import RACES
from tests.adversary.schedules.schedule_wakes import WAKES


class LooksBeforeItAcks(MemoryQueue):
    def ack(self, delivery: Leased) -> None:
        if delivery not in self._steps.leased:
            raise self._lost(delivery)
        self._steps.leased.pop(delivery, None)
        next(self._ack)


class NacksWithoutLock(Failing):
    def nack(self, delivery: Leased, error: str, trace: str, delay: float | None) -> None:
        steps = self._steps
        if delivery not in steps.leased:
            raise self.lost(delivery)
        again = self._failed(delivery.message, error, trace, delivery.message.attempts + 1)
        next(zip(steps.appending(again), steps.signal))
        steps.leased.pop(delivery, None)


class ExtendsWithoutLock(Failing):
    def extend(self, delivery: Leased, seconds: float) -> None:
        if delivery not in self._steps.leased:
            raise LeaseLost("too late")
        self._expiry.extended.add(delivery)
        delivery.deadline = max(delivery.deadline, self._steps.now() + seconds)


class WakesOneOnClose(MemoryQueue):
    def _pull_woken(self) -> Any:
        return self._closed_error()


class WakesOnePushOnClose(MemoryQueue):
    def _push_woken(self) -> Any:
        return self._closed_error()


class DropsWithoutToken(MemoryQueue):
    def _overflow(self, message: Message) -> bool | None:
        steps = self._steps
        if steps.ready:
            steps.ready.popleft()
            next(steps.leave_dropped)
            steps.tokens.get_nowait()
            return None
        next(zip(steps.accepted, steps.dropped))
        return False


class PurgesACopy(Failing):
    def purge(self) -> int:
        ids = list(self._steps.dead)
        for id in ids:
            self._steps.dead.pop(id, None)
            next(self._steps.purged)
        return len(ids)


class RedrivesWithoutLock(Failing):
    def redrive(self, ids: Iterable[str] | None, limit: int | None) -> int:
        steps = self._steps
        letters = list(steps.dead.values())
        for letter in letters:
            next(steps.permits_now)
            again = letter.message.with_attempts(1, None)
            next(zip(steps.appending(again), steps.signal, steps.redriven))
            steps.dead.pop(letter.message.id, None)
        return len(letters)


class PullsInTwoSteps(MemoryQueue):
    def pull(self, timeout: float | None, kind: Any = Delivery) -> Any:
        steps, delivery = self._steps, Delivery()
        message = steps.leased[delivery] = steps.ready[0]
        steps.tokens.get_nowait()
        steps.ready.popleft()
        delivery.stored, delivery.message, delivery.deadline = self, message, self._now() + self._lease_seconds
        return delivery


class AnnouncesBeforeItInserts(MemoryQueue):
    def push(self, message: Message, timeout: float | None, delay: float) -> bool:
        next(self._permits)
        next(self._steps.signal)
        self._steps.ready.append(message)
        next(self._accepted)
        return True


class AsksWhetherThereIsRoom(MemoryQueue):
    def push(self, message: Message, timeout: float | None, delay: float) -> bool:
        steps = self._steps
        if steps.pool.qsize() == 0:
            steps.pool.get(True, None if timeout is None else timeout)
            steps.pool.put(1)
        next(zip(steps.appending(message), steps.signal, steps.accepted))
        return True


class ExpiresWithoutToken(Failing):
    def _end_lives(self, now: float) -> None:
        for message in self._expiry.lives_over(now):
            if message in self._steps.ready:
                self._end_life(iter((message,)), message)
                self._steps.ready.remove(message)
                self._steps.tokens.get_nowait()


class WakesInTwoSteps(Failing):
    def _end_delays(self, now: float) -> None:
        steps = self._steps
        for key in self._expiry.delays_over(now):
            _, message = steps.delayed[key]
            next(steps.signal)
            del steps.delayed[key]
            steps.ready.append(message)


class RousesNobody(MemoryQueue):
    def push(self, message: Message, timeout: float | None, delay: float) -> bool:
        steps = self._steps
        next(zip(map(steps.pool.get, (False,)), steps.appending(message), steps.signal, steps.accepted))
        return True


class AcksInSilence(MemoryQueue):
    def ack(self, delivery: Leased) -> None:
        next(zip(self._steps.leaving(delivery), self._ack))


#: The race in which each has to be found.
BUGS = {
    LooksBeforeItAcks: RACES["ack, expiry"],
    failing(NacksWithoutLock): RACES["nack, expiry"],
    failing(ExtendsWithoutLock): RACES["extend, expiry"],
    WakesOneOnClose: RACES["close, two blocked pulls"],
    WakesOnePushOnClose: RACES["close, two blocked pushes"],
    DropsWithoutToken: RACES["drop-oldest, pull of the last"],
    failing(PurgesACopy): RACES["redrive, purge"],
    failing(RedrivesWithoutLock): RACES["redrive, redrive"],
    PullsInTwoSteps: RACES["pull, pull"],
    AnnouncesBeforeItInserts: RACES["timed pull, push"],
    AsksWhetherThereIsRoom: RACES["two blocked pushes, ack"],
    failing(ExpiresWithoutToken): RACES["TTL, pull"],
    failing(WakesInTwoSteps): RACES["due, pull"],
    RousesNobody: WAKES["timed pull, push in time"],
    AcksInSilence: WAKES["timed push, ack in time"],
}
