"""The loops that make load, against fake systems whose faults are known."""

import queue
import time

import numpy as np
import pytest

from lightbroker.lab.measure import load
from lightbroker.lab.measure.audit import audit, make_bodies
from lightbroker.lab.measure.message_times import OpenLoopTimes
from lightbroker.lab.peers.asyncio_queue import AsyncioQueue
from lightbroker.lab.peers.base import Record, System
from lightbroker.lab.peers.standard import LightBroker, QueueQueue, SimpleQueue


class Paused(QueueQueue):
    """Its only consumer stops for a while, once, after the 50th message."""

    PAUSE_S = 0.2

    def consume(self, record: Record) -> None:
        handled = iter(range(1_000_000))

        def pausing(body: bytes) -> None:
            record(body)
            if next(handled) == 50:
                time.sleep(self.PAUSE_S)

        super().consume(pausing)


class Slow(QueueQueue):
    """Takes 5 ms for a put, so that one producer sends 200 messages/s at most."""

    def __init__(self, capacity: int | None = None) -> None:
        super().__init__(capacity)
        self.put = self._put

    def _put(self, body: bytes) -> None:
        time.sleep(0.005)
        self.queue.put(body)


class Faulty(QueueQueue):
    """Loses every tenth message and delivers every seventh twice."""

    def __init__(self, capacity: int | None = None) -> None:
        super().__init__(capacity)
        self.put = self._put
        self._puts = 0

    def _put(self, body: bytes) -> None:
        self._puts += 1
        for _ in range((self._puts % 10 > 0) + (self._puts % 7 == 0) if body else 1):
            self.queue.put(body)


def test_a_pause_shows_in_the_tail_of_everyone_who_had_to_wait() -> None:
    run = load.open_loop(Paused(), rate=500, messages=300, producers=1, consumers=1)
    latency_ms = run.latency() / 1e6
    assert latency_ms.max() > 150
    # 100 messages were planned during the pause; each waited for what was left of it.
    assert (latency_ms > 20).sum() >= 60


def test_latency_counts_from_the_plan_where_the_sender_itself_is_held_up() -> None:
    run = load.open_loop(Paused(capacity=1), rate=500, messages=300, producers=1, consumers=1)
    from_sent = (run.received - run.sent) / 1e6
    slow_from_sent, slow_from_plan = (from_sent > 100).sum(), (run.latency() / 1e6 > 100).sum()
    assert slow_from_plan >= 30, "who starts the clock at the plan sees the queue that built up"
    assert slow_from_sent < slow_from_plan, "who starts it at the send does not"
    assert (np.diff(run.planned) == 2_000_000).all()


def test_late_messages_are_sent_late_and_never_skipped() -> None:
    run = load.open_loop(Paused(capacity=1), rate=500, messages=300, producers=1, consumers=1)
    assert audit(300, run.kept, None).clean
    assert (run.send_lag() >= 0).all()
    assert run.send_lag().max() > 100_000_000


def test_an_overloaded_sender_is_declared_invalid() -> None:
    run = load.open_loop(Slow(), rate=1_000, messages=100, producers=1, consumers=1)
    assert "fell behind its plan" in str(run.invalid())


def test_a_sender_that_is_late_by_less_than_a_hundredth_of_the_run_is_valid() -> None:
    planned = np.arange(100, dtype=np.int64) * 1_000_000
    for lag, valid in ((0, True), (900_000, True), (1_100_000, False)):
        late = planned + lag
        run = OpenLoopTimes(planned, sent=late, received=late, acked=late, kept=[], ticked=late[:0])
        assert (run.invalid() is None) is valid


def test_producers_share_the_plan() -> None:
    run = load.open_loop(SimpleQueue(), rate=2_000, messages=205, producers=10, consumers=3)
    assert audit(205, run.kept, None).clean
    assert (run.sent >= run.planned).all()
    assert (run.received > run.sent).all()


def test_the_warm_up_is_cut_by_plan() -> None:
    run = load.open_loop(SimpleQueue(), rate=2_000, messages=100, producers=1, consumers=1)
    assert run.latency(40).size == run.send_lag(40).size == 60


def test_a_faulty_system_is_found_out_in_the_open_loop() -> None:
    run = load.open_loop(Faulty(), rate=5_000, messages=500, producers=1, consumers=4)
    found = audit(500, run.kept, None)
    # Every 70th is lost once and delivered once.
    assert (found.lost, found.duplicated) == (43, 64)
    assert run.latency().size == 457


def test_a_faulty_system_is_found_out_in_the_closed_loop() -> None:
    seen: list[bytes] = []
    load.closed_loop(Faulty(), [make_bodies(100)], [seen.append])
    assert not audit(100, seen, None).clean


def test_a_producer_that_fails_ends_the_run_with_its_error() -> None:
    class Broken(QueueQueue):
        def __init__(self) -> None:
            super().__init__()
            self.put = self._put

        def _put(self, body: bytes) -> None:
            if body:
                raise queue.Full
            self.queue.put(body)

    with pytest.raises(queue.Full):
        load.closed_loop(Broken(), [make_bodies(3)], [bytes, bytes])


@pytest.mark.parametrize("kind", [LightBroker, QueueQueue, SimpleQueue])
@pytest.mark.parametrize("capacity", [None, 10])
def test_the_closed_loop_passes_everything_through(kind: type[System], capacity: int | None) -> None:
    if capacity and not kind.promises.bounded:
        pytest.skip("this system has no bound")
    system = kind(capacity)
    bodies = make_bodies(2_000)
    seen: list[list[bytes]] = [[] for _ in range(5)]
    assert load.closed_loop(system, [bodies[p::3] for p in range(3)], [each.append for each in seen]) > 0
    assert system.acked(2_005) in (None, 2_005)
    system.check()
    system.close()
    assert audit(2_000, [body for each in seen for body in each], None).clean


def test_asyncio_takes_load_from_its_own_tasks_and_from_threads() -> None:
    system = AsyncioQueue(10)
    seen: list[bytes] = []
    assert system.closed_loop([make_bodies(500)], [seen.append] * 5) > 0
    system.close()
    assert audit(500, seen, None).clean

    system = AsyncioQueue()
    run = load.open_loop(system, rate=2_000, messages=200, producers=2, consumers=5)
    system.close()
    assert audit(200, run.kept, None).clean


@pytest.mark.parametrize("kind", [LightBroker, QueueQueue, SimpleQueue, AsyncioQueue])
def test_one_thread_alone_passes_everything_through(kind: type[System]) -> None:
    bodies = make_bodies(200)
    for batched in (False, True):
        system, seen = kind(None), list[bytes]()
        if batched:
            system.batch([bodies[:100], bodies[100:]], seen.append)
        else:
            system.cycle(bodies, seen.append)
        assert seen == bodies
        assert system.acked(200) in (None, 200)
        system.close()
