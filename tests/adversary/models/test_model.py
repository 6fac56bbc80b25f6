"""The queue against its model, and the proof that the comparison sees a wrong queue."""

from collections.abc import Iterable
from typing import Any

import pytest

from lightbroker import Broker, BrokerError, ManualClock
from lightbroker.core.memory.failing import Failing
from lightbroker.core.memory.queue import MemoryQueue
from lightbroker.core.memory.store import MemoryStore
from lightbroker.core.message import Failure, Leased, Message
from tests.adversary.models.model_machine import QueueMachine, run, run_over
from tests.adversary.parts import failing
from tests.contract.stores import STORES
from tests.support import Unavailable, miss

EXAMPLES, STEPS = 500, 40


def test_the_queue_does_what_the_model_does() -> None:
    report = run(EXAMPLES, STEPS)
    assert report["calls"] > EXAMPLES * STEPS / 2
    verbs = {"push", "push_many", "pull", "pull_many", "ack", "ack_many", "nack", "release", "reject", "extend"}
    for verb in (*verbs, "redrive", "redrive_some", "purge", "advance"):
        assert report["outcomes"][f"{verb}: ok"] > 50
    for verb in verbs - {"push", "push_many", "pull", "pull_many"}:
        assert report["outcomes"][f"{verb}: LeaseLost"] > 50


@pytest.mark.parametrize("store", [name for name, store in STORES.items() if store.durable])
def test_every_store_does_what_the_model_does(store: str) -> None:
    try:
        report = run_over(store, 50, 30)
    except Unavailable as error:
        miss(error)
    verbs = {"push", "push_many", "pull", "pull_many", "ack", "ack_many", "nack", "release", "reject", "extend"}
    assert report["calls"] > 500
    assert sum(f"{verb}: ok" in report["outcomes"] for verb in verbs) >= len(verbs) - 2  # so few examples miss some


class ReleaseCounts(Failing):
    def release(self, delivery: Leased) -> None:
        message = delivery.message
        self._give_back(delivery, message.with_attempts(message.attempts + 1, message.failure), 0.0, "release")


class RedriveKeepsTheTtl(Failing):
    def redrive(self, ids: Iterable[str] | None, limit: int | None) -> int:
        expiries = {id: letter.message.expires for id, letter in self._steps.dead.items()}
        moved = super().redrive(ids, limit)
        for message in self._steps.ready:
            message.expires = expiries.get(message.id, message.expires)
            self.watch(message)
        return moved


class RetryGoesToTheFront(Failing):
    def _give_back(self, delivery: Leased, message: Message, wait: float, cause: str) -> None:
        super()._give_back(delivery, message, wait, cause)
        if not wait:
            self._steps.ready.rotate(1)


class ExtendShortens(Failing):
    def extend(self, delivery: Leased, seconds: float) -> None:
        super().extend(delivery, seconds)
        delivery.deadline = self._steps.now() + seconds


class LateAckIsTaken(MemoryQueue):
    def ack(self, delivery: Leased) -> None:
        if delivery in self._steps.leased:
            super().ack(delivery)


class OneAttemptTooMany(Failing):
    def _fail(self, delivery: Leased, error: str, trace: str, delay: float | None, cause: str) -> None:
        message = delivery.message
        if message.attempts != self._steps.options.retry.max_attempts:
            return super()._fail(delivery, error, trace, delay, cause)
        return self._give_back(delivery, self._failed(message, error, trace, message.attempts + 1), 0.0, cause)


class NewestDeadLetterDrops(Failing):
    def bury(self, leaving: Any, message: Message, reason: str, source: str) -> None:
        steps = self._steps
        bound = steps.options.dead_capacity
        if bound is not None and len(steps.dead) == bound:
            next(leaving)
            if source != "NEW":
                next(steps.give)
            next(steps.dropped)
        else:
            super().bury(leaving, message, reason, source)


class ForgetsTheFirstFailure(Failing):
    def _failed(self, message: Message, error: str, trace: str, attempts: int) -> Message:
        now = self._steps.clock.time()
        return message.with_attempts(attempts, Failure(error, trace, now, now))


class RefusesInSilence(MemoryQueue):
    def push(self, message: Message, timeout: float | None, delay: float) -> bool:
        if self._options.capacity is not None and self._steps.pool.qsize() == 0:
            return False
        return super().push(message, timeout, delay)


@pytest.mark.parametrize(
    "bug",
    [
        failing(ReleaseCounts),
        failing(RedriveKeepsTheTtl),
        failing(RetryGoesToTheFront),
        failing(ExtendShortens),
        LateAckIsTaken,
        failing(OneAttemptTooMany),
        failing(NewestDeadLetterDrops),
        failing(ForgetsTheFirstFailure),
        RefusesInSilence,
    ],
)
def test_the_comparison_sees_a_wrong_queue(bug: type[MemoryQueue]) -> None:
    class Store(MemoryStore):
        def queue(self, *arguments: Any) -> MemoryQueue:
            return bug(*arguments)

    def open_broker(clock: ManualClock) -> Broker:
        return Broker(Store(), clock=clock)

    class Machine(QueueMachine):
        pass

    Machine.open_broker = staticmethod(open_broker)
    with pytest.raises((AssertionError, BrokerError, KeyError)):
        run(EXAMPLES, STEPS, Machine, shrink=False)
