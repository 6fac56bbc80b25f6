"""Races under every schedule with few preemptions; the explorer itself has to find seeded bugs."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from lightbroker import Broker, ManualClock, Queue, QueueEmpty, SystemClock
from lightbroker.core.memory.queue import MemoryQueue
from tests.adversary.models.total_queue import switching_every
from tests.adversary.schedules.schedule import Race, explore
from tests.adversary.schedules.schedule_bugs import BUGS
from tests.adversary.schedules.schedule_races import RACES
from tests.adversary.schedules.schedule_twins import cooperative
from tests.adversary.schedules.schedule_wakes import WAKES
from tests.support import PATIENCE

ALL = {**RACES, **WAKES}
MOST = 500  # schedules with one preemption: all of them where two threads meet, a sample where it is three
SAMPLED = 60  # schedules with two preemptions for each race; `make torture` runs all of them


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Closing a queue that holds messages warns, here some thousand times."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("race", ALL.values(), ids=ALL)
def test_a_race_ends_well_wherever_one_thread_is_preempted(race: Race) -> None:
    report = explore(race, MemoryQueue, bound=1, most=MOST)
    assert report.failures == []
    assert report.complete or len(race.threads) > 2
    assert report.schedules > 5


@pytest.mark.parametrize("race", ALL.values(), ids=ALL)
def test_a_race_ends_well_under_a_sample_of_two_preemptions(race: Race) -> None:
    for hands in (False, True):
        assert explore(race, MemoryQueue, bound=2, most=SAMPLED, hands=hands).failures == []


@pytest.mark.parametrize(
    ("name", "outcomes"),
    [
        ("ack, expiry", {"ok, ok", "LeaseLost, ok"}),
        ("timed pull, push", {"a, ok", "QueueEmpty, ok"}),
        ("drop-oldest, pull", {"ok, a", "ok, b"}),
        ("redrive, purge", {"2, 0", "0, 2"}),
        ("push, close", {"ok, ok", "QueueClosed, ok"}),
    ],
)
def test_each_side_of_a_race_wins_under_some_schedule(name: str, outcomes: set[str]) -> None:
    assert set(explore(RACES[name], MemoryQueue, bound=1).outcomes) == outcomes


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_the_explorer_finds_a_seeded_bug(bug: type[MemoryQueue]) -> None:
    assert explore(BUGS[bug], bug, bound=2).failures


def _pull_or_not(queue: Queue, timeout: float) -> None:
    with contextlib.suppress(QueueEmpty):
        queue.pull(timeout).ack()


def test_a_timed_pull_returns_although_another_took_its_message_and_kept_the_interpreter() -> None:
    with Broker() as broker, switching_every(10.0):
        queue = broker.queue("q")
        waiting = threading.Thread(target=_pull_or_not, args=(queue, 0.05))
        waiting.start()
        time.sleep(0.02)
        queue.push("wakes the waiting thread")
        queue.pull(0).ack()
        sum(range(10**7))  # one call into C that takes longer than the time-out
        waiting.join(1.0)
        in_time = not waiting.is_alive()
        queue.push("frees it")
        waiting.join()
    assert in_time


def _two_threads(work: Any, check: Any) -> Race:
    return Race("toy", lambda _: SimpleNamespace(), (work, work), check)


def test_a_schedule_that_failed_is_told_and_the_search_stops() -> None:
    def check(state: Any, results: list[Any]) -> None:
        raise AssertionError("never right")

    report = explore(_two_threads(lambda state: None, check), object, bound=2)
    assert report.schedules == 1
    assert "never right [schedule" in report.failures[0]


def test_an_exception_of_a_thread_is_a_failure() -> None:
    report = explore(_two_threads(lambda state: state.missing, lambda state, results: None), object, bound=0)
    assert "AttributeError" in report.failures[0]


def test_every_schedule_within_the_bound_runs_once() -> None:
    race = RACES["ack, ack"]
    counts = [explore(race, MemoryQueue, bound).schedules for bound in (0, 1, 2)]
    assert counts[0] == 2  # either goes first
    assert counts == sorted(set(counts))
    assert not explore(race, MemoryQueue, 2, most=counts[2] - 1).complete


def test_a_cooperative_queue_is_a_simple_queue_when_nobody_schedules() -> None:
    with cooperative():
        queue = Broker(clock=ManualClock()).queue("q", 2)
        queue.push("a")
        queue.pull(0).ack()
        with pytest.raises(QueueEmpty):
            queue.pull(0)
        queue.stored.check()


def test_the_clock_of_an_earlier_test_goes_on_meanwhile() -> None:
    clock, event = SystemClock(), threading.Event()
    alarm = clock.alarm(event.set)
    with cooperative():
        alarm.set(60.0)
        thread = clock._agenda._thread
        alarm.cancel()
    assert thread is not None
    thread.join(PATIENCE)
    assert not thread.is_alive()
