"""What an interrupt, a late alarm or a killed thread leaves behind at one certain point, and how it is made good."""

import heapq
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from lightbroker import Broker, ManualClock, Message, Queue, QueueEmpty
from lightbroker.core import clock as clock_module
from lightbroker.core.memory import expiry
from lightbroker.core.memory.failing import Failing
from lightbroker.core.memory.queue import MemoryQueue
from tests.adversary.schedules.bytecode import interrupted
from tests.adversary.schedules.schedule_run import Run, monitoring
from tests.adversary.schedules.schedule_scenes import Scene, leasing
from tests.support import counts, drain, wait_until

LEASE = 30.0  # seconds
OpenQueue = Callable[..., Queue]


class LateClock(ManualClock):
    """Its alarms can be late, as those of a busy machine are."""

    def pass_silently(self, seconds: float) -> None:
        self._now += seconds


def _interrupt(*_: Any) -> Any:
    raise KeyboardInterrupt


BROKEN_HEAP = SimpleNamespace(**{**vars(heapq), "heappush": _interrupt})


class Cut(Run):
    """One thread that gets a KeyboardInterrupt before its bytecode number `at` of those that matter."""

    def __init__(self, work: Callable[[], object], at: int) -> None:
        super().__init__([work], ())
        self.left = at

    def point(self) -> None:
        if self.left == 0:
            self.left = -1
            raise KeyboardInterrupt
        self.left -= 1


VERBS: dict[str, Callable[[Scene], object]] = {
    "push": lambda scene: scene.queue.push("c"),
    "push_many": lambda scene: scene.queue.push_many(["c"]),
    "pull": lambda scene: scene.queue.pull(0),
    "pull_many": lambda scene: scene.queue.pull_many(2, 0),
    "ack": lambda scene: scene.deliveries[0].ack(),
    "ack_many": lambda scene: scene.queue.ack_many(scene.deliveries),
}


@pytest.mark.parametrize("capacity", [4, None])
@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_an_interrupt_before_any_bytecode_of_the_hot_path_loses_no_message_and_no_permit(
    verb: Callable[[Scene], object], capacity: int | None
) -> None:
    with monitoring():
        for at in count():
            scene = leasing("a", capacity=capacity)(MemoryQueue)
            scene.queue.push_many(["b", "b"])
            cut = Cut(partial(verb, scene), at)
            with suppress(KeyboardInterrupt):
                cut.execute()
            scene.settle_all()
            if cut.left > 0:  # it came to its end before its time
                break
    assert at > 5


def test_a_pull_that_is_interrupted_once_it_has_a_message_only_delays_it(
    open_queue: OpenQueue, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = open_queue()
    queue.push("a")
    with monkeypatch.context() as patches:
        patches.setattr(queue.stored, "_now", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            queue.pull(0)
    assert queue.stats().leased == 1
    clock.advance(2 * LEASE)
    assert queue.pull(0).message.attempts == 2


def test_an_interrupt_before_any_bytecode_of_a_delay_loses_no_message_and_no_permit() -> None:
    at, went_on = 0, True
    while went_on:
        at += 1
        scene = leasing("a", capacity=4)(MemoryQueue)
        delayed_push = partial(scene.queue.push, "c", delay=0.5)
        went_on = interrupted(Failing.delay.__code__, at, delayed_push)
        scene.settle_all()
    assert at > 20


def test_a_delay_that_is_interrupted_before_it_is_noted_only_delays_longer(
    open_queue: OpenQueue, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = open_queue()
    with monkeypatch.context() as patches:
        patches.setattr(expiry, "heapq", BROKEN_HEAP)
        with pytest.raises(KeyboardInterrupt):
            queue.push("a", delay=1.0)
    assert counts(queue) == {"accepted": 1, "delayed": 1}
    clock.advance(LEASE)
    assert drain(queue) == ["a"]


def test_an_alarm_that_is_interrupted_can_be_set_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    rung: list[float] = []

    class Bell:
        def ring(self) -> None:
            rung.append(clock.monotonic())

    bell = Bell()
    alarm = clock.alarm(bell.ring)
    with monkeypatch.context() as patches:
        patches.setattr(clock_module, "heapq", BROKEN_HEAP)
        with pytest.raises(KeyboardInterrupt):
            alarm.set(1.0)
    alarm.set(2.0)
    clock.advance(3.0)
    assert rung == [2.0]


def test_an_interrupt_is_told_as_one_though_it_hits_the_clock_as_it_starts_its_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(thread: threading.Thread) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError("release unlocked lock")

    with monkeypatch.context() as patches:
        patches.setattr(threading.Thread, "start", start)
        with pytest.raises(KeyboardInterrupt):
            Broker().queue("q")


def test_a_message_that_expired_is_not_pulled_though_the_alarm_is_late() -> None:
    clock = LateClock()
    queue = Broker(clock=clock).queue("q")
    queue.push("a", ttl=1.0)
    clock.pass_silently(2.0)
    with pytest.raises(QueueEmpty):
        queue.pull(0)
    assert counts(queue) == {"accepted": 1, "expired": 1}


def test_a_message_that_expired_is_not_pulled_in_a_batch_though_the_alarm_is_late() -> None:
    clock = LateClock()
    queue = Broker(clock=clock).queue("q")
    for body, ttl in (("a", None), ("b", 1.0), ("c", None)):
        queue.push(body, ttl=ttl)
    clock.pass_silently(2.0)
    assert [delivery.message.text for delivery in queue.pull_many(3, 0)] == ["a", "c"]
    assert counts(queue) == {"accepted": 3, "leased": 2, "expired": 1}


def test_what_is_ready_expires_however_much_was_settled_meanwhile(open_queue: OpenQueue, clock: ManualClock) -> None:
    queue = open_queue(ttl=5.0)
    queue.push("kept")
    known = 0
    while len(queue.stored._failing._expiry._mortal) >= known:  # until the index is tidied
        known = len(queue.stored._failing._expiry._mortal)
        queue.push("settled")
        kept, settled = queue.pull_many(2, 0)
        settled.ack()
        kept.release()
    clock.advance(5.0)
    assert queue.stats().expired == 1


def test_closing_the_last_queue_ends_the_thread_of_the_clock() -> None:
    before = set(threading.enumerate())
    broker = Broker()
    broker.push("q", "a")
    started = set(threading.enumerate()) - before
    assert len(started) == 1
    broker.close()
    wait_until(lambda: not any(thread.is_alive() for thread in started))


def test_what_a_killed_worker_was_doing_is_done_by_its_successor(
    broker: Broker, open_queue: OpenQueue, clock: ManualClock
) -> None:
    queue = open_queue(lease=LEASE)
    queue.push("a")
    handled: list[Message] = []
    delivery = queue.pull(0)
    with broker.workers("q", handled.append, 1) as pool:
        dead = threading.Thread(target=int)
        dead.start()
        dead.join()
        pool._threads[0], pool._running[0] = dead, delivery
        clock.advance(LEASE / 3)
        assert pool._threads[0].is_alive()
        clock.advance(LEASE)
        wait_until(lambda: len(handled) == 1)
    assert handled[0].attempts == 2
