"""Health: one word that is right, a reason with it, and no flapping."""

import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from lightbroker import Broker, ManualClock, Message, Overflow, Queue, QueueClosed, Retry, StoreError
from lightbroker.server.health import Health
from tests.support import PATIENCE, Call

Open = Callable[..., Queue]


def test_a_broker_with_nothing_to_do_is_ok(broker: Broker, open_queue: Open, clock: ManualClock) -> None:
    health = Health(broker)
    queue = open_queue()
    clock.advance(3600.0)
    assert health.report() == {
        "status": "ok",
        "uptime_seconds": 3600.0,
        "queues": {"q": asdict(queue.stats())},
    }


def test_ready_messages_that_nobody_settles_are_a_stall(broker: Broker, open_queue: Open, clock: ManualClock) -> None:
    health = Health(broker, stalled_after=60.0)
    queue = open_queue()
    queue.push_many(["a", "b"])
    assert health.report()["status"] == "ok"
    clock.advance(59.0)
    assert health.report()["status"] == "ok"
    clock.advance(1.0)
    report = health.report()
    assert (report["status"], report["reason"]) == ("stalled", "queue 'q' has 2 ready and settled none for 60 s")
    queue.pull(timeout=0)
    assert health.report()["status"] == "stalled", "to take one is not to do one"


def test_a_single_ack_ends_a_stall_and_the_next_takes_as_long(
    broker: Broker, open_queue: Open, clock: ManualClock
) -> None:
    health = Health(broker, stalled_after=60.0)
    queue = open_queue()
    queue.push_many(["a"] * 3)
    health.report()
    clock.advance(60.0)
    assert health.report()["status"] == "stalled"
    queue.pull(timeout=0).ack()
    assert health.report()["status"] == "ok"
    for seconds, status in ((59.0, "ok"), (1.0, "stalled")):
        clock.advance(seconds)
        assert health.report()["status"] == status


def test_retries_are_progress_and_an_empty_queue_is_no_stall(
    broker: Broker, open_queue: Open, clock: ManualClock
) -> None:
    health = Health(broker, stalled_after=60.0)
    queue = open_queue()
    queue.push("a")
    health.report()
    clock.advance(60.0)
    queue.pull(timeout=0).nack("later", delay=0.0)
    assert health.report()["status"] == "ok"
    queue.pull(timeout=0)
    clock.advance(10.0)
    assert health.report()["status"] == "ok"
    queue.push("b")
    clock.advance(100.0)  # more than the lease, too: it ran out, which counts as a retry
    assert health.report()["status"] == "ok"


def test_a_rare_look_at_a_queue_that_works_finds_no_stall(broker: Broker, open_queue: Open, clock: ManualClock) -> None:
    health = Health(broker, stalled_after=60.0)
    queue = open_queue()
    for _ in range(5):
        queue.push("a")
        assert health.report()["status"] == "ok"
        clock.advance(3600.0)
        queue.pull(timeout=0).ack()


def test_what_producers_and_time_do_is_no_sign_of_life(make_broker: Callable[..., Broker], clock: ManualClock) -> None:
    for overflow in (Overflow.DROP_OLDEST, Overflow.DROP_NEWEST, Overflow.DEAD_LETTER):
        broker = make_broker()
        health = Health(broker, stalled_after=60.0)
        queue = broker.queue("q", capacity=2, overflow=overflow)
        for _ in range(8):
            queue.push("a")
            queue.push("b", ttl=5.0)
            status = health.report()["status"]
            clock.advance(10.0)
        assert status == "stalled", overflow


def test_without_patience_nothing_is_stalled(broker: Broker, open_queue: Open, clock: ManualClock) -> None:
    health = Health(broker, stalled_after=None)
    open_queue().push("a")
    health.report()
    clock.advance(1e6)
    assert health.report()["status"] == "ok"


def test_a_broker_that_drains_and_one_that_is_closed_say_so(broker: Broker, open_queue: Open) -> None:
    queue, health = open_queue(), Health(broker)
    begun, finish = threading.Event(), threading.Event()

    def handle(message: Message) -> None:
        begun.set()
        assert finish.wait(PATIENCE)

    queue.push("a")
    broker.workers("q", handle, workers=1)
    assert begun.wait(PATIENCE)
    close = Call(broker.close)
    assert close.blocks()
    report = health.report()
    assert report["status"] == "draining"
    assert report["queues"]["q"]["leased"] == 1
    finish.set()
    close.result()
    assert (health.report()["status"], health.report()["reason"]) == ("closed", "the broker is closed")


@pytest.mark.parametrize("error", [StoreError("the disk is full"), QueueClosed("the broker is closed")])
def test_a_store_that_cannot_be_read_is_an_error(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail() -> Any:
        raise error

    monkeypatch.setattr(broker, "stats", fail)
    report = Health(broker).report()
    assert (report["status"], report["reason"], report["queues"]) == ("error", str(error), {})


def test_a_closed_sqlite_store_is_closed_and_no_error(tmp_path: Any) -> None:
    broker = Broker(f"sqlite:///{tmp_path}/q.db")
    broker.queue("q", retry=Retry())
    broker.close()
    assert Health(broker).report()["status"] == "closed"


@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (-1, ValueError), ("60", TypeError), (True, TypeError)])
def test_a_patience_that_makes_no_sense_is_refused(broker: Broker, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="stalled_after"):
        Health(broker, value)
