"""Queues that go wrong once in a thousand calls: what the checker must notice, and how it must call it."""

from itertools import count
from typing import Any

from lightbroker import Broker, Delivery
from lightbroker.core.memory.failing import Failing
from lightbroker.core.memory.queue import MemoryQueue
from lightbroker.core.memory.store import MemoryStore
from lightbroker.core.message import Leased, Message
from tests.adversary.models.total_queue import LAST
from tests.adversary.parts import failing

RARELY = 1000


class _Rarely(MemoryQueue):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._calls = count(1)

    def now_and_then(self) -> bool:
        return next(self._calls) % RARELY == 0


class Loses(_Rarely):
    def pull(self, timeout: float | None, kind: Any = Delivery) -> Any:
        delivery = super().pull(timeout, kind)
        while self.now_and_then() and delivery.message.body != LAST:  # which tells a consumer to go home
            delivery.ack()
            delivery = super().pull(timeout, kind)
        return delivery


class DeliversTwice(_Rarely):
    def push(self, message: Message, timeout: float | None, delay: float) -> bool:
        if self.now_and_then():
            super().push(message, timeout, delay)
        return super().push(message, timeout, delay)


class Reorders(_Rarely):
    def pull(self, timeout: float | None, kind: Any = Delivery) -> Any:
        if self.now_and_then():
            self._steps.ready.rotate(-50)
        return super().pull(timeout, kind)


class Invents(_Rarely):
    def push(self, message: Message, timeout: float | None, delay: float) -> bool:
        if self.now_and_then():
            super().push(Message(message.id + "x", b"\xff" * 8, message.timestamp), timeout, delay)
        return super().push(message, timeout, delay)


class LeaksPermits(_Rarely):
    def ack(self, delivery: Delivery) -> None:
        super().ack(delivery)
        if self.now_and_then():
            next(self._permits)


class TakesLateAcks(MemoryQueue):
    def ack(self, delivery: Delivery) -> None:
        if delivery in self._steps.leased:
            super().ack(delivery)


class _ForgetsAttempts(Failing):
    def nack(self, delivery: Leased, error: str, trace: str, delay: float | None) -> None:
        self.release(delivery)


class _AcksWhatIsRejected(Failing):
    def reject(self, delivery: Leased, reason: str) -> None:
        next(zip(self._steps.leaving(delivery), self._steps.leave_acked))


ForgetsAttempts, AcksWhatIsRejected = failing(_ForgetsAttempts), failing(_AcksWhatIsRejected)


class EndsLeasesEarly(_Rarely):
    def pull(self, timeout: float | None, kind: Any = Delivery) -> Any:
        delivery = super().pull(timeout, kind)
        if self.now_and_then():
            with self._steps.lock:
                self._failing._expiry._following = 0.0
                self._failing._end_leases(delivery.deadline)
        return delivery


#: What the checker has to complain of, among other things.
COMPLAINTS: dict[type[MemoryQueue], str] = {
    Loses: "lost",
    DeliversTwice: "duplicate",
    Reorders: "order",
    Invents: "unexpected",
    LeaksPermits: "law",
    TakesLateAcks: "late ack",
    ForgetsAttempts: "attempts",
    AcksWhatIsRejected: "lost",
    EndsLeasesEarly: "early expiry",
}


def broker_with(bug: type[MemoryQueue]) -> Broker:
    class Store(MemoryStore):
        def queue(self, *arguments: Any) -> MemoryQueue:
            return bug(*arguments)

    return Broker(Store())
