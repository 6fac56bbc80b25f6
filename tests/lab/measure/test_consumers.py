"""Consumers that run a handler: what they note, what happens to failures, and coordinated omission in numbers."""

import time

import numpy as np
import pytest

from lightbroker.lab.measure import load
from lightbroker.lab.measure.arrivals import SHAPES
from lightbroker.lab.measure.audit import audit, make_bodies
from lightbroker.lab.measure.consumers import Log
from lightbroker.lab.measure.handlers import HANDLERS, Failed, computing, failing, no_op, pausing, sleeping
from lightbroker.lab.peers.base import System
from lightbroker.lab.peers.standard import LightBroker, QueueQueue, SimpleQueue
from lightbroker.lab.scenarios.neighbour import NEIGHBOURS, beside
from lightbroker.lab.theory.prediction import predict
from lightbroker.lab.theory.queueing import PausedServer


@pytest.mark.parametrize("kind", [LightBroker, QueueQueue])
def test_every_time_of_a_message_is_noted_in_the_order_of_its_life(kind: type[System]) -> None:
    system = kind(None)
    run = load.open_loop(system, 2_000, 300, producers=3, consumers=4, handle=sleeping(0.0005))
    assert (run.planned <= run.sent).all()
    assert (run.sent < run.received).all()
    assert (run.received + 500_000 <= run.acked).all(), "the handler sleeps between"
    assert (run.response() >= run.latency()).all()
    assert audit(300, run.kept, None).clean
    system.check()


def test_a_failed_message_comes_again_where_the_system_retries_and_is_lost_where_not() -> None:
    run = load.open_loop(LightBroker(), 2_000, 200, 1, 3, handle=failing(every=10))
    assert audit(200, run.kept, None).clean
    assert (run.acked > run.received).all(), "also of those received twice: the first receipt counts"
    run = load.open_loop(QueueQueue(), 2_000, 200, 1, 3, handle=failing(every=10))
    assert audit(200, run.kept, None).lost == 20
    assert run.response().size == 180
    assert run.latency().size == 200


def test_the_closed_loop_runs_a_handler_and_waits_for_retries() -> None:
    logs = [Log(500) for _ in range(3)]
    system = LightBroker()
    assert load.closed_service(system, [make_bodies(100)], logs, failing(every=10)) > 0
    assert sum(len(log.bodies) for log in logs) == 110
    assert system.acked(103) == 103


def test_a_system_that_cannot_tell_its_consumers_what_to_do_is_refused() -> None:
    with pytest.raises(TypeError, match=r"queue\.SimpleQueue has no consumers that handle"):
        load.open_loop(SimpleQueue(), 1_000, 10, 1, 1, handle=no_op)


def test_a_pacer_in_another_process_keeps_the_plan_and_tells_when_it_woke() -> None:
    run = load.open_loop(LightBroker(), 1_000, 300, producers=1, consumers=2, pacer=True)
    assert audit(300, run.kept, None).clean
    assert (run.planned <= run.ticked).all()
    assert (run.ticked <= run.sent).all()
    with pytest.raises(ValueError, match="producers must be 1"):
        load.open_loop(LightBroker(), 1_000, 10, producers=2, consumers=2, pacer=True)


def test_handlers_take_the_time_that_they_say() -> None:
    start = time.thread_time()
    computing(0.01)(b"")
    assert time.thread_time() - start >= 0.01
    start = time.perf_counter()
    pausing(1_000.0, 0.05)(b"")
    assert time.perf_counter() - start >= 0.045
    handle, bodies = failing(every=2), make_bodies(2)
    with pytest.raises(Failed, match="message 0"):
        handle(bodies[0])
    handle(bodies[0])
    handle(bodies[1])
    for make in HANDLERS.values():
        assert callable(make(0.001))


@pytest.mark.parametrize("kind", NEIGHBOURS)
def test_a_neighbour_leaves_with_the_block(kind: str) -> None:
    with beside(kind):
        time.sleep(0.02)


def test_an_unknown_neighbour_is_refused() -> None:
    with pytest.raises(ValueError, match="computing"), beside("noisy"):
        pass


def test_the_closed_loop_flatters_a_paused_server_and_the_open_loop_agrees_with_theory() -> None:
    """200 ms in every 2 s. A stall of the machine can only make the open loop's p99 larger."""
    period, pause, rate = 2.0, 0.2, 1_000
    theory = PausedServer(period, pause).percentile(99)
    run = load.open_loop(LightBroker(), rate, 4_000, 1, 1, handle=pausing(period, pause))
    measured = float(np.percentile(run.response(), 99)) / 1e9
    assert measured > 0.9 * theory
    assert measured < 5 * theory
    assert np.median(run.response()) / 1e9 < 0.1 * theory
    # 10 % of the time belongs to the pauses; the closed loop asks once in each.
    times = load.request_loop(LightBroker(), 2_000, 1, 1, think=1 / rate, handle=pausing(period, pause))
    assert audit(2_000, times.kept, None).clean
    assert times.response().max() / 1e9 > 0.5 * pause, "it met a pause"
    assert np.percentile(times.response(), 99) / 1e9 < 0.5 * theory, "and its p99 does not know"


def test_no_real_queue_is_faster_than_the_simulated_one_with_its_own_arrivals_and_services() -> None:
    run = load.open_loop(LightBroker(), 300, 300, 1, 1, arrivals=SHAPES["poisson"], handle=sleeping(0.002))
    found = predict(run.sent / 1e9, (run.acked - run.received) / 1e9)
    assert found.utilisation > 0.5, "2 ms of work, 300 times a second"
    measured = float((run.received - run.sent).mean()) / 1e9
    assert measured > found.replayed_wait - 1e-6
    assert found.warnings, "300 messages are too few to see whether the assumptions hold"
