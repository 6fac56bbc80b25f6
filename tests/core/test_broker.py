"""The broker: declaring queues, looking at them, closing with and without a drain."""

import gc
import logging
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from lightbroker import (
    Broker,
    InvariantError,
    ManualClock,
    Message,
    Overflow,
    QueueClosed,
    QueueFull,
    Retry,
    StoreError,
    SystemClock,
)
from lightbroker.core.policy import QueueOptions
from tests.support import PATIENCE, Call, counts, wait_until


def test_a_queue_is_declared_once_and_found_again(broker: Broker) -> None:
    options: dict[str, Any] = {
        "capacity": 5,
        "overflow": Overflow.REJECT,
        "lease": 1.0,
        "retry": Retry(max_attempts=2),
        "ttl": 9.0,
        "dead_capacity": 3,
    }
    queue = broker.queue("q", **options)
    assert broker.queue("q", **options) is queue
    assert (queue.name, queue.options) == ("q", QueueOptions(**options))


def test_a_queue_used_before_it_is_declared_has_the_defaults(broker: Broker) -> None:
    broker.push("pushed", "a")
    broker.dlq("looked-at")
    assert broker.queue("pushed").options == QueueOptions()
    assert broker.queue("pushed").stats().capacity == 10_000


def test_declaring_again_with_other_options_names_them(broker: Broker) -> None:
    queue = broker.queue("q", capacity=5, lease=1.0)
    with pytest.raises(ValueError, match=r"'q'.*capacity=6.*lease=2\.0") as caught:
        broker.queue("q", capacity=6, lease=2.0)
    assert "ttl" not in str(caught.value)
    assert queue.options.capacity == 5
    with pytest.raises(ValueError, match="overflow"):
        broker.queue("q", capacity=5, lease=1.0, overflow=Overflow.REJECT)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        *[(name, ValueError) for name in ("", " ", "a b", "a\n", "\x00", "x" * 256)],
        *[(name, TypeError) for name in (None, 1, b"q", ["q"])],
    ],
    ids=lambda value: repr(value)[:12],
)
def test_a_queue_name_that_makes_no_sense_is_refused_everywhere(
    broker: Broker, name: Any, error: type[Exception]
) -> None:
    for call in (
        lambda: broker.queue(name),
        lambda: broker.push(name, "a"),
        lambda: broker.pull(name, timeout=0),
        lambda: broker.dlq(name),
        lambda: broker.bind("a", name),
        lambda: broker.workers(name, print),
    ):
        with pytest.raises(error, match="name"):
            call()
    assert broker.stats().queues == {}


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("capacity", 0, ValueError),
        ("capacity", "10", TypeError),
        ("overflow", "block", TypeError),
        ("lease", 0, ValueError),
        ("lease", None, TypeError),
        ("retry", 3, TypeError),
        ("ttl", -1, ValueError),
        ("dead_capacity", 0, ValueError),
        ("priority", 1, TypeError),
    ],
)
def test_an_option_that_makes_no_sense_declares_nothing(
    broker: Broker, name: str, value: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match=name):
        broker.queue("q", **{name: value})
    assert broker.stats().queues == {}


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda broker: broker.push("new", {1}), id="body"),
        pytest.param(lambda broker: broker.push("new", "a", delay=-1), id="delay"),
        pytest.param(lambda broker: broker.push("new", "a", headers={"a": 1}), id="headers"),
        pytest.param(lambda broker: broker.pull("new", timeout=-1), id="timeout"),
        pytest.param(lambda broker: broker.workers("new", None), id="handler"),
        pytest.param(lambda broker: broker.bind("a..b", "new"), id="pattern"),
    ],
)
def test_a_wrong_argument_declares_no_queue(broker: Broker, call: Callable[[Broker], object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        call(broker)
    assert broker.stats().queues == {}


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        *[
            ("store", value, ValueError)
            for value in ("", "memory", "kafka://host", "memory://?capacity=5", "memory://host/x")
        ],
        *[("store", value, TypeError) for value in (None, 3, b"memory://", Broker)],
        *[("clock", value, TypeError) for value in (3, "utc", ManualClock)],
        *[("trace", value, ValueError) for value in (-1,)],
        *[("trace", value, TypeError) for value in ("10", 1.5, True, None)],
    ],
)
def test_a_broker_that_makes_no_sense_is_not_made(name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=name):
        Broker(**{name: value})


def test_a_url_that_no_store_is_for_is_shown_without_its_password() -> None:
    with pytest.raises(ValueError, match="no store for 'valkey://host/0'"):
        Broker("valkey://:secret@host/0")


def test_the_clock_is_the_machine_s_unless_one_is_given() -> None:
    with Broker() as broker:
        assert isinstance(broker.clock, SystemClock)
        broker.push("q", "a", delay=0.01)
        assert broker.pull("q", timeout=5.0).message.text == "a"


def test_stats_tell_of_every_queue_by_name(broker: Broker) -> None:
    broker.push("b", "1")
    broker.queue("a", capacity=None)
    stats = broker.stats()
    assert list(stats.queues) == ["a", "b"]
    assert (stats.queues["b"].ready, stats.queues["b"].accepted, stats.queues["b"].held) == (1, 1, 1)
    assert stats.queues["a"].capacity is None
    broker.push("b", "2")
    assert stats.queues["b"].ready == 1


def test_check_finds_a_message_that_vanished(make_broker: Callable[..., Broker]) -> None:
    broker = make_broker()
    queue = broker.queue("q")
    queue.push("a")
    broker.check()
    message = queue.stored._steps.ready.pop()  # type: ignore[attr-defined]
    with pytest.raises(InvariantError, match="'q'"):
        broker.check()
    queue.stored._steps.ready.append(message)  # type: ignore[attr-defined]


def test_check_finds_room_that_leaked(make_broker: Callable[..., Broker]) -> None:
    broker = make_broker()
    queue = broker.queue("q", capacity=3)
    permit = queue.stored._steps.pool.get()  # type: ignore[attr-defined]
    with pytest.raises(InvariantError, match="permits"):
        broker.check()
    queue.stored._steps.pool.put(permit)  # type: ignore[attr-defined]


def test_check_holds_for_a_closed_broker(broker: Broker) -> None:
    broker.push("q", "a")
    broker.close()
    broker.check()


def test_closing_warns_of_what_is_left(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    broker.push("left", "a")
    broker.push("left", "b", delay=60.0)
    broker.queue("empty")
    with caplog.at_level(logging.WARNING, "lightbroker"):
        broker.close()
    [record] = caplog.records
    assert "2 messages left in queue left" in record.getMessage()


def test_a_drain_works_the_queue_off_and_takes_nothing_new(broker: Broker, clock: ManualClock) -> None:
    queue = broker.queue("q", retry=Retry(base=0.0))
    queue.push_many(["a", "b", "c"])
    queue.push("later", delay=5.0)
    handled = []
    broker.workers("q", lambda message: handled.append(message.text), workers=1)
    close = Call(broker.close)
    wait_until(lambda: queue.stats().acked == 3)
    assert close.blocks()
    for call in (lambda: queue.push("d"), lambda: broker.push("new", "d"), lambda: broker.publish("a", "d")):
        with pytest.raises(QueueClosed, match="drain|closed"):
            call()
    clock.advance(5.0)
    close.result()
    assert handled == ["a", "b", "c", "later"]
    assert counts(queue) == {"acked": 4, "accepted": 4}


def test_a_drain_wakes_who_waits_for_room_at_once(broker: Broker) -> None:
    queue = broker.queue("q", capacity=1)
    queue.push("a", delay=60.0)
    broker.workers("q", lambda message: None, workers=1)
    push = Call(queue.push, "b")
    assert push.blocks()
    close = Call(broker.close, timeout=60.0)
    with pytest.raises(QueueClosed):
        push.result()
    queue.stored.close()  # gives up the delayed message, which would keep the drain waiting
    assert close.blocks()
    broker._pools[0].stop()
    close.result()


def test_a_drain_ends_with_its_timeout(broker: Broker) -> None:
    queue = broker.queue("q")
    queue.push("never", delay=1e9)
    broker.workers("q", lambda message: None, workers=1)
    Call(broker.close, timeout=0.05).result()
    assert counts(queue) == {"delayed": 1, "accepted": 1}


def test_a_queue_without_workers_is_not_waited_for(broker: Broker) -> None:
    queue = broker.queue("q")
    queue.push("a")
    Call(broker.close).result()
    assert counts(queue) == {"ready": 1, "accepted": 1}


def test_leaving_the_block_drains_and_an_error_does_not(make_broker: Callable[..., Broker]) -> None:
    with make_broker() as broker:
        queue = broker.queue("q")
        queue.push_many(["a"] * 10)
        broker.workers("q", lambda message: None, workers=1)
    assert counts(queue) == {"acked": 10, "accepted": 10}
    with pytest.raises(ZeroDivisionError), make_broker() as broker:
        queue = broker.queue("q")
        queue.push("a", delay=60.0)
        broker.workers("q", lambda message: None, workers=1)
        raise ZeroDivisionError
    assert counts(queue) == {"delayed": 1, "accepted": 1}


@pytest.mark.parametrize(("timeout", "error"), [(-1, ValueError), (float("nan"), ValueError), ("1", TypeError)])
def test_a_close_that_makes_no_sense_closes_nothing(broker: Broker, timeout: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="timeout"):
        broker.close(timeout=timeout)
    broker.push("q", "a")


def test_timeouts_are_real_time_and_the_rest_follows_the_clock(broker: Broker) -> None:
    queue = broker.queue("q", capacity=1)
    queue.push("a")
    with pytest.raises(QueueFull):
        queue.push("b", timeout=0.01)
    assert broker.clock.monotonic() == 1000.0


@pytest.mark.parametrize("trace", [0, 10])
def test_a_broker_that_is_dropped_without_close_is_collected(trace: int) -> None:
    broker = Broker(trace=trace)
    queue = broker.queue("q")
    subscription = broker.subscribe("a")
    queue.push("a", delay=60.0)
    queue.push("b", ttl=60.0)
    queue.pull(timeout=0).nack(delay=60.0)
    broker.publish("a", "x")
    gone = [weakref.ref(thing) for thing in (broker, queue, queue.stored, subscription)]
    del broker, queue, subscription
    gc.collect()
    assert [reference() for reference in gone] == [None] * 4


def test_a_handler_may_close_its_broker(make_broker: Callable[..., Broker]) -> None:
    broker = make_broker()
    closed = threading.Event()

    def handle(message: Message) -> None:
        broker.close()
        closed.set()

    broker.workers("q", handle, workers=2)
    broker.push("q", "last orders")
    assert closed.wait(PATIENCE)
    wait_until(lambda: broker.stats().queues["q"].leased == 0)  # its ack comes behind the close
    with pytest.raises(QueueClosed):
        broker.push("q", "too late")


@pytest.mark.parametrize("store", ["memory://", "sqlite:///{}/q.db"])
def test_the_handlers_that_run_when_one_closes_the_broker_are_acked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, store: str
) -> None:
    broker = Broker(store.format(tmp_path))
    queue, together, closed = broker.queue("q"), threading.Barrier(2), threading.Event()

    def handle(message: Message) -> None:
        together.wait(PATIENCE)
        if message.text == "close":
            broker.close()
            closed.set()
        else:
            assert closed.wait(PATIENCE)

    queue.push_many(["close", "work", "later"])
    with broker.workers("q", handle, workers=2):
        wait_until(lambda: broker.state == "closed")
    assert caplog.messages == ["closed with 1 messages left in queue q"]
    if not store.startswith("memory"):
        with Broker(store.format(tmp_path)) as again:
            assert counts(again.queue("q")) == {"ready": 1, "acked": 2, "accepted": 3}


def test_handlers_of_two_pools_may_close_at_once(make_broker: Callable[..., Broker]) -> None:
    broker, both = make_broker(), threading.Barrier(2)

    def handle(message: Message) -> None:
        both.wait(PATIENCE)
        broker.close()

    for name in "ab":
        broker.push(name, name)
        broker.workers(name, handle, workers=2)
    wait_until(lambda: broker.state == "closed")
    assert [queue.stats().acked for queue in broker.queues.values()] == [1, 1]


@pytest.mark.parametrize("drain", [True, False])
def test_a_store_that_is_away_keeps_no_broker_from_closing(monkeypatch: pytest.MonkeyPatch, drain: bool) -> None:
    def fail(*_: object) -> NoReturn:
        raise StoreError("the store is away")

    broker, running = Broker(), threading.Semaphore(0)
    finish = threading.Event()

    def handle(message: Message) -> None:
        running.release()
        assert finish.wait(PATIENCE)

    queue = broker.queue("q")
    broker.workers("q", handle, workers=1)
    queue.push_many(["a", "b"])
    assert running.acquire(timeout=PATIENCE)
    for name in ("stats", "release", "ack"):
        monkeypatch.setattr(type(queue.stored), name, fail)
    close = Call(broker.close, drain=drain)
    if drain:
        assert close.blocks()  # for the handler, which may finish
    else:
        close.result()
    finish.set()
    close.result()
    assert broker.state == "closed"


def test_two_that_close_at_once_both_succeed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broker = Broker(f"sqlite:///{tmp_path}/q.db")
    queue, second = broker.queue("q"), threading.Event()
    close_queue, waits = queue.stored.close, iter([True, False])

    def wait_and_close() -> None:
        if next(waits):
            assert second.wait(PATIENCE)
        close_queue()

    monkeypatch.setattr(queue.stored, "close", wait_and_close)
    first = Call(broker.close)
    assert first.blocks()
    broker.close()
    second.set()
    first.result()


def test_closing_does_not_wait_for_a_store_that_is_opening_a_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    broker, made = Broker(), threading.Event()
    make = broker._store.queue

    def make_slowly(*args: Any) -> Any:
        assert made.wait(PATIENCE)
        return make(*args)

    monkeypatch.setattr(broker._store, "queue", make_slowly)
    opening = Call(broker.queue, "slow")
    assert opening.blocks()
    Call(broker.close).result()
    made.set()
    with pytest.raises(QueueClosed):
        opening.result()
    assert broker.queues == {}


def test_a_trace_that_makes_no_sense_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="trace"):
        Broker(f"sqlite:///{tmp_path}/q.db", trace=-1)
    assert list(tmp_path.iterdir()) == []


def test_a_broker_that_refuses_wakes_who_waits_for_room_and_lets_others_pull(broker: Broker) -> None:
    queue = broker.queue("q", capacity=1)
    queue.push("a")
    push = Call(queue.push, "b")
    assert push.blocks()
    broker.refuse()
    with pytest.raises(QueueClosed, match="draining"):
        push.result()
    assert broker.state == "draining"
    queue.pull(timeout=0).ack()
    broker.refuse()
    assert queue.stats().acked == 1


def test_the_state_says_whether_the_broker_is_open_drains_or_is_closed(broker: Broker) -> None:
    broker.push("q", "a")
    begun, finish = threading.Event(), threading.Event()

    def handle(message: Message) -> None:
        begun.set()
        assert finish.wait(PATIENCE)

    broker.workers("q", handle, workers=1)
    assert broker.state == "open"
    assert begun.wait(PATIENCE)
    close = Call(broker.close)
    assert close.blocks()
    assert broker.state == "draining"
    finish.set()
    close.result()
    assert broker.state == "closed"


def test_the_queues_are_those_that_were_declared(broker: Broker) -> None:
    assert broker.queues == {}
    b, a = broker.queue("b"), broker.queue("a")
    assert list(broker.queues.items()) == [("a", a), ("b", b)]
    broker.queues.clear()
    assert len(broker.queues) == 2
