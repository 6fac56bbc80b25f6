"""Queues with one bug each, of the kind that a review lets pass: two steps where there must be one.

The explorer has to find every one of them; if it does not, what it says about the real queue is worth nothing.
"""

import heapq
from collections.abc import Iterable
from typing import Any

from lightbroker import Delivery, LeaseLost
from lightbroker.core.memory.queue import MemoryQueue
from lightbroker.core.message import Message
from tests.adversary.schedules.schedule_races import RACES
from tests.adversary.schedules.schedule_wakes import WAKES


class LooksBeforeItAcks(MemoryQueue):
    def ack(self, delivery: Delivery) -> None:
        if delivery not in self._leased:
            raise self._lost(delivery)
        self._leased.pop(delivery, None)
        next(self._ack)


class NacksWithoutLock(MemoryQueue):
    def nack(self, delivery: Delivery, error: str, trace: str, delay: float | None) -> None:
        if delivery not in self._leased:
            raise self._lost(delivery)
        again = self._failed(delivery.message, error, trace, delivery.message.attempts + 1)
        next(zip(self._appending(again), self._signal))
        self._leased.pop(delivery, None)


class ExtendsWithoutLock(MemoryQueue):
    def extend(self, delivery: Delivery, seconds: float) -> None:
        if delivery not in self._leased:
            raise LeaseLost("too late")
        self._extended.add(delivery)
        delivery.deadline = max(delivery.deadline, self._now() + seconds)


class WakesOneOnClose(MemoryQueue):
    def _pull_woken(self) -> Any:
        return self._closed_error()


class WakesOnePushOnClose(MemoryQueue):
    def _push_woken(self) -> Any:
        return self._closed_error()


class DropsWithoutToken(MemoryQueue):
    def _overflow(self, message: Message) -> bool | None:
        if self._ready:
            self._ready.popleft()
            next(self._drop)
            self._tokens.get_nowait()
            return None
        next(zip(self._accepted, self._dropped))
        return False


class PurgesACopy(MemoryQueue):
    def purge(self) -> int:
        ids = list(self._dead)
        for id in ids:
            self._dead.pop(id, None)
            next(self._purged)
        return len(ids)


class RedrivesWithoutLock(MemoryQueue):
    def redrive(self, ids: Iterable[str] | None, limit: int | None) -> int:
        letters = list(self._dead.values())
        for letter in letters:
            next(self._permits_now)
            again = letter.message.with_attempts(1, None)
            next(zip(self._appending(again), self._signal, self._redriven))
            self._dead.pop(letter.message.id, None)
        return len(letters)


class PullsInTwoSteps(MemoryQueue):
    def pull(self, timeout: float | None, kind: Any = Delivery) -> Any:
        delivery = Delivery()
        message = self._leased[delivery] = self._ready[0]
        self._tokens.get_nowait()
        self._ready.popleft()
        delivery.store, delivery.message, delivery.deadline = self, message, self._now() + self._lease_seconds
        return delivery


class AnnouncesBeforeItInserts(MemoryQueue):
    def push(self, message: Message, timeout: float | None, delay: float) -> bool:
        next(self._permits)
        next(self._signal)
        self._ready.append(message)
        next(self._accepted)
        return True


class AsksWhetherThereIsRoom(MemoryQueue):
    def push(self, message: Message, timeout: float | None, delay: float) -> bool:
        if self._pool.qsize() == 0:
            self._pool.get(True, None if timeout is None else timeout)
            self._pool.put(1)
        next(zip(self._appending(message), self._signal, self._accepted))
        return True


class ExpiresWithoutToken(MemoryQueue):
    def _expire_ready(self, now: float) -> float:
        while self._mortal and self._mortal[0][0] <= now:
            message = heapq.heappop(self._mortal)[2]
            if message in self._ready:
                self._expire_from(iter((message,)), message, "READY")
                self._ready.remove(message)
                self._tokens.get_nowait()
        return float("inf")


class WakesInTwoSteps(MemoryQueue):
    def _wake(self, now: float) -> float:
        for key, (due, message) in self._delayed.copy().items():
            if due <= now:
                next(self._signal)
                del self._delayed[key]
                self._ready.append(message)
        return float("inf")


class RousesNobody(MemoryQueue):
    def push(self, message: Message, timeout: float | None, delay: float) -> bool:
        next(zip(map(self._pool.get, (False,)), self._appending(message), self._signal, self._accepted))
        return True


class AcksInSilence(MemoryQueue):
    def ack(self, delivery: Delivery) -> None:
        next(zip(self._leaving(delivery), self._ack))


#: The race in which each has to be found.
BUGS = {
    LooksBeforeItAcks: RACES["ack, expiry"],
    NacksWithoutLock: RACES["nack, expiry"],
    ExtendsWithoutLock: RACES["extend, expiry"],
    WakesOneOnClose: RACES["close, two blocked pulls"],
    WakesOnePushOnClose: RACES["close, two blocked pushes"],
    DropsWithoutToken: RACES["drop-oldest, pull of the last"],
    PurgesACopy: RACES["redrive, purge"],
    RedrivesWithoutLock: RACES["redrive, redrive"],
    PullsInTwoSteps: RACES["pull, pull"],
    AnnouncesBeforeItInserts: RACES["timed pull, push"],
    AsksWhetherThereIsRoom: RACES["two blocked pushes, ack"],
    ExpiresWithoutToken: RACES["TTL, pull"],
    WakesInTwoSteps: RACES["due, pull"],
    RousesNobody: WAKES["timed pull, push in time"],
    AcksInSilence: WAKES["timed push, ack in time"],
}
