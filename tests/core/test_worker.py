"""The pool: handlers run, fail, hang and stop, and no message is lost over it."""

import logging
import sys
import threading
from collections.abc import Callable

import pytest

from lightbroker import Broker, Delivery, LeaseLost, ManualClock, Message, Queue, QueueClosed, Retry, StoreError
from lightbroker.core import worker
from tests.support import PATIENCE, Call, counts, wait_until

pytestmark = pytest.mark.usefixtures("switching")

Open = Callable[..., Queue]


class Handler:
    """Says when a message has begun, and works on it until it is told to finish."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.finish = threading.Event()
        self.seen: list[tuple[str, int]] = []

    def __call__(self, message: Message) -> None:
        self.seen.append((message.text, message.attempts))
        self.begun.release()
        assert self.finish.wait(PATIENCE)

    def wait_for(self, messages: int) -> None:
        for _ in range(messages):
            assert self.begun.acquire(timeout=PATIENCE)


@pytest.fixture
def handler() -> Handler:
    return Handler()


def test_a_message_is_acked_when_its_handler_returns(broker: Broker, open_queue: Open) -> None:
    queue = open_queue()
    seen = []
    with broker.workers("q", seen.append, workers=2):
        queue.push("a")
        queue.push("b")
        wait_until(lambda: queue.stats().acked == 2)
    assert sorted(message.text for message in seen) == ["a", "b"]
    assert all(isinstance(message, Message) for message in seen)


def test_each_worker_runs_one_handler_at_a_time(broker: Broker, open_queue: Open, handler: Handler) -> None:
    queue = open_queue()
    with broker.workers("q", handler, workers=3):
        queue.push_many(["a"] * 5)
        handler.wait_for(3)
        assert counts(queue) == {"ready": 2, "leased": 3, "accepted": 5}
        handler.finish.set()
        wait_until(lambda: queue.stats().acked == 5)


def test_a_handler_that_raises_is_tried_again_and_then_buried_with_its_traceback(
    broker: Broker, open_queue: Open
) -> None:
    queue = open_queue(retry=Retry(max_attempts=3, base=0.0))
    attempts = []

    def fail(message: Message) -> None:
        attempts.append(message.attempts)
        raise ValueError("bad block")

    queue.push("poison")
    with broker.workers("q", fail, workers=2):
        wait_until(lambda: queue.stats().dead == 1)
    assert attempts == [1, 2, 3]
    [letter] = queue.dead_letters
    assert (letter.reason, letter.error) == ("max_attempts", "ValueError: bad block")
    assert "in fail" in letter.traceback


def test_a_failure_waits_for_the_backoff(broker: Broker, open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(retry=Retry(base=5.0, jitter=False))

    def fail_once(message: Message) -> None:
        if (message.text, message.attempts) == ("a", 1):
            raise ValueError

    queue.push_many(["a", "b"])
    with broker.workers("q", fail_once, workers=1):
        wait_until(lambda: queue.stats().acked == 1)  # "b", so its worker is done with the failure of "a"
        assert queue.stats().delayed == 1
        clock.advance(5.0)
        wait_until(lambda: queue.stats().acked == 2)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_a_handler_cannot_end_its_worker(broker: Broker, open_queue: Open, error: type[BaseException]) -> None:
    queue = open_queue(retry=Retry(max_attempts=1))

    def leave(message: Message) -> None:
        if message.text == "leave":
            raise error("bye")

    queue.push("leave")
    queue.push("go on")
    with broker.workers("q", leave, workers=1):
        wait_until(lambda: queue.stats().acked == 1)
    [letter] = queue.dead_letters
    assert letter.error == f"{error.__name__}: bye"


def test_the_heartbeat_keeps_the_lease_while_the_handler_runs(
    broker: Broker, open_queue: Open, clock: ManualClock, handler: Handler
) -> None:
    queue = open_queue(lease=30.0)
    with broker.workers("q", handler, workers=1):
        queue.push("long")
        handler.wait_for(1)
        for _ in range(10):
            clock.advance(29.0)
        assert counts(queue) == {"leased": 1, "accepted": 1}
        handler.finish.set()
        wait_until(lambda: queue.stats().acked == 1)
    assert handler.seen == [("long", 1)]
    assert queue.stats().retried == 0


def test_one_long_step_of_time_does_not_end_a_lease_that_a_handler_needs(
    broker: Broker, open_queue: Open, clock: ManualClock, handler: Handler
) -> None:
    queue = open_queue(lease=30.0)
    with broker.workers("q", handler, workers=2):
        queue.push("long")
        handler.wait_for(1)
        clock.advance(1000.0)
        handler.finish.set()
        wait_until(lambda: queue.stats().acked == 1)
    assert handler.seen == [("long", 1)]


def test_a_drain_finishes_what_runs_and_leaves_the_rest(broker: Broker, open_queue: Open, handler: Handler) -> None:
    queue = open_queue()
    pool = broker.workers("q", handler, workers=2)
    queue.push_many(["a", "b", "c"])
    handler.wait_for(2)
    stop = Call(pool.stop)
    assert stop.blocks()
    handler.finish.set()
    assert stop.result() is True
    assert counts(queue) == {"ready": 1, "acked": 2, "accepted": 3}
    assert queue.pull(timeout=0).message.attempts == 1


def test_a_drain_keeps_the_leases_of_what_runs(
    broker: Broker, open_queue: Open, clock: ManualClock, handler: Handler
) -> None:
    queue = open_queue(lease=30.0)
    pool = broker.workers("q", handler, workers=1)
    queue.push("a")
    handler.wait_for(1)
    stop = Call(pool.stop)
    assert stop.blocks()
    clock.advance(100.0)
    handler.finish.set()
    assert stop.result() is True
    assert counts(queue) == {"acked": 1, "accepted": 1}


def test_a_stop_without_drain_does_not_mind_a_handler_that_is_faster(
    broker: Broker, open_queue: Open, handler: Handler
) -> None:
    queue = open_queue()
    pool = broker.workers("q", handler, workers=1)
    queue.push("a")
    handler.wait_for(1)
    (delivery,) = pool._running.values()
    delivery.ack()  # as its thread does between the look of `stop` at what runs and the release
    assert Call(pool.stop, drain=False).result() is False
    handler.finish.set()
    assert counts(queue) == {"acked": 1, "accepted": 1}


def test_a_stop_without_drain_releases_what_runs(
    broker: Broker, open_queue: Open, handler: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    queue = open_queue()
    pool = broker.workers("q", handler, workers=2)
    queue.push_many(["a", "b", "c"])
    handler.wait_for(2)
    assert Call(pool.stop, drain=False).result() is False
    assert counts(queue) == {"ready": 3, "accepted": 3}
    assert {delivery.message.attempts for delivery in queue.pull_many(3, 0)} == {1}
    with caplog.at_level(logging.WARNING, "lightbroker"):
        handler.finish.set()
        wait_until(lambda: len(caplog.records) == 2)
    assert "its lease was over" in caplog.text
    assert counts(queue) == {"leased": 3, "accepted": 3}


def test_a_drain_that_takes_too_long_releases_what_still_runs(
    broker: Broker, open_queue: Open, handler: Handler
) -> None:
    queue = open_queue()
    pool = broker.workers("q", handler, workers=1)
    queue.push("a")
    handler.wait_for(1)
    assert Call(pool.stop, timeout=0.05).result() is False
    assert counts(queue) == {"ready": 1, "accepted": 1}
    handler.finish.set()


def test_a_stopped_pool_pulls_no_more(broker: Broker, open_queue: Open) -> None:
    queue = open_queue()
    pool = broker.workers("q", lambda message: None, workers=2)
    assert not pool.stopped
    assert pool.stop() is True
    assert pool.stopped
    queue.push("a")
    assert pool.stop() is True
    assert counts(queue) == {"ready": 1, "accepted": 1}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lightbroker-q")]


def test_a_pool_that_was_stopped_by_its_own_handler_acks_that_message(broker: Broker, open_queue: Open) -> None:
    queue = open_queue()
    stopped = []
    pool = broker.workers("q", lambda message: stopped.append(pool.stop()), workers=1)
    queue.push("stop")
    queue.push("later")
    wait_until(lambda: stopped == [False] and queue.stats().leased == 0)
    assert counts(queue) == {"ready": 1, "acked": 1, "accepted": 2}


def test_two_handlers_that_both_stop_their_pool_do_not_wait_for_each_other(broker: Broker, open_queue: Open) -> None:
    queue = open_queue()
    together = threading.Barrier(2)
    stopped = []

    def stop(message: Message) -> None:
        together.wait(PATIENCE)
        pool.stop()
        stopped.append(message)

    pool = broker.workers("q", stop, workers=2)
    queue.push_many(["a", "b"])
    wait_until(lambda: len(stopped) == 2 and queue.stats().leased == 0)
    assert counts(queue) == {"acked": 2, "accepted": 2}


def test_two_pools_share_a_queue(broker: Broker, open_queue: Open) -> None:
    queue = open_queue()
    seen: list[Message] = []
    with broker.workers("q", seen.append, workers=1), broker.workers("q", seen.append, workers=2):
        ids = queue.push_many(["x"] * 50)
        wait_until(lambda: queue.stats().acked == 50)
    assert sorted(message.id for message in seen) == sorted(id for id in ids if id)


def test_a_pool_starts_before_its_queue_is_declared(broker: Broker) -> None:
    with broker.workers("new", lambda message: None, workers=1):
        broker.push("new", "a")
        wait_until(lambda: broker.stats().queues["new"].acked == 1)


def test_closing_the_queue_ends_the_workers(broker: Broker, open_queue: Open) -> None:
    open_queue()
    pool = broker.workers("q", lambda message: None, workers=3)
    broker.close()
    assert pool.stopped
    wait_until(lambda: not [t for t in threading.enumerate() if t.name.startswith("lightbroker-q")])


def test_a_handler_may_push_to_its_own_queue(broker: Broker, open_queue: Open) -> None:
    queue = open_queue()

    def countdown(message: Message) -> None:
        if message.json() > 0:
            queue.push(message.json() - 1)

    with broker.workers("q", countdown, workers=2):
        queue.push(20)
        wait_until(lambda: queue.stats().acked == 21)


def test_an_endless_traceback_does_not_stop_the_worker(broker: Broker, open_queue: Open) -> None:
    queue = open_queue(retry=Retry(max_attempts=1))

    def recurse(message: Message) -> None:
        recurse(message)

    limit = sys.getrecursionlimit()
    queue.push("a")
    with broker.workers("q", recurse, workers=1):
        wait_until(lambda: queue.stats().dead == 1)
    assert sys.getrecursionlimit() == limit
    [letter] = queue.dead_letters
    assert "RecursionError" in letter.error


async def coroutine(message: Message) -> None: ...


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        *[("handler", value, TypeError) for value in (None, "print", coroutine)],
        *[("workers", value, ValueError) for value in (0, -1)],
        *[("workers", value, TypeError) for value in (1.5, "4", True, None)],
        *[("queue", value, TypeError) for value in (None, 5)],
    ],
)
def test_a_pool_that_makes_no_sense_is_refused(
    broker: Broker, name: str, value: object, error: type[Exception]
) -> None:
    before = set(threading.enumerate())
    arguments = {"queue": "new", "handler": print, "workers": 1, name: value}
    with pytest.raises(error, match="name" if name == "queue" else name):
        broker.workers(**arguments)  # type: ignore[arg-type]
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(("timeout", "error"), [(-1, ValueError), (float("nan"), ValueError), ("1", TypeError)])
def test_a_stop_that_makes_no_sense_stops_nothing(broker: Broker, timeout: float, error: type[Exception]) -> None:
    with broker.workers("q", lambda message: None, workers=1) as pool:
        with pytest.raises(error, match="timeout"):
            pool.stop(timeout=timeout)
        assert not pool.stopped
        broker.push("q", "a")
        wait_until(lambda: broker.stats().queues["q"].acked == 1)


def test_a_message_that_its_handler_holds_is_safe_from_a_close(
    broker: Broker, open_queue: Open, handler: Handler
) -> None:
    queue = open_queue()
    broker.workers("q", handler, workers=1)
    queue.push("a")
    handler.wait_for(1)
    close = Call(broker.close)
    assert close.blocks()
    with pytest.raises(QueueClosed):
        queue.push("b")
    handler.finish.set()
    close.result()
    assert counts(queue) == {"acked": 1, "accepted": 1}


def test_a_lost_lease_of_a_worker_is_told_and_changes_nothing(
    broker: Broker, open_queue: Open, handler: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    queue = open_queue()
    pulled = []
    pull, queue.pull = queue.pull, lambda timeout: pulled.append(pull(timeout)) or pulled[-1]  # type: ignore[method-assign]
    with broker.workers("q", handler, workers=1):
        queue.push("a")
        handler.wait_for(1)
        pulled[0].release()
        with caplog.at_level(logging.WARNING, "lightbroker"):
            handler.finish.set()
            wait_until(lambda: queue.stats().acked == 1)
    assert "its lease was over" in caplog.text
    with pytest.raises(LeaseLost):
        pulled[0].ack()


def test_a_message_that_comes_as_the_pool_stops_is_given_back_untried(
    broker: Broker, open_queue: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = open_queue()
    pull, handled = queue.pull, list[Message]()

    def pull_and_stop(timeout: float) -> Delivery:
        delivery = pull(timeout)
        pool._stopping.set()
        return delivery

    monkeypatch.setattr(queue, "pull", pull_and_stop)
    pool = broker.workers("q", handled.append, workers=1)
    queue.push("a")
    wait_until(lambda: pool.stopped and counts(queue) == {"accepted": 1, "ready": 1})
    pool.stop()
    assert handled == []
    assert pull(0).message.attempts == 1


def test_a_lost_lease_of_one_worker_does_not_end_those_of_the_others(
    broker: Broker, open_queue: Open, clock: ManualClock, handler: Handler
) -> None:
    queue = open_queue(lease=30.0)
    with broker.workers("q", handler, workers=2) as pool:
        queue.push_many(["a", "b"])
        handler.wait_for(2)
        first = next(iter(pool._running))
        pool._running[first].reject("taken away")
        for _ in range(10):
            clock.advance(29.0)
        assert counts(queue) == {"accepted": 2, "dead": 1, "leased": 1}
        handler.finish.set()
        wait_until(lambda: queue.stats().acked == 1)


class Away:
    """What a store answers that cannot be reached, so many times; after that, what the store says."""

    def __init__(self, answer: Callable[..., object], times: int) -> None:
        self._answer, self.left = answer, times

    def __call__(self, *args: object) -> object:
        if self.left:
            self.left -= 1
            raise StoreError("the store is away")
        return self._answer(*args)


def test_a_worker_goes_on_when_its_store_could_not_be_used(
    broker: Broker, open_queue: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    queue = open_queue()
    monkeypatch.setattr(worker, "AGAIN", 0.0)
    monkeypatch.setattr(queue, "pull", Away(queue.pull, 3))
    queue.push("a")
    with broker.workers("q", lambda message: None, workers=1):
        wait_until(lambda: queue.stats().acked == 1)
    assert caplog.text.count("queue q: its store cannot be used") == 3


def test_a_message_whose_ack_the_store_did_not_take_is_delivered_again(
    broker: Broker, open_queue: Open, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = open_queue(lease=30.0)
    attempts: list[int] = []
    monkeypatch.setattr(type(queue.stored), "ack", ack := Away(queue.stored.ack, 1))
    with broker.workers("q", lambda message: attempts.append(message.attempts), workers=1) as pool:
        queue.push("a")
        wait_until(lambda: not ack.left and not pool._running)
        clock.advance(30.0)
        wait_until(lambda: queue.stats().acked == 1)
    assert attempts == [1, 2]


def test_the_heartbeat_goes_on_when_the_store_did_not_take_one(
    broker: Broker, open_queue: Open, clock: ManualClock, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = open_queue(lease=30.0)
    monkeypatch.setattr(type(queue.stored), "extend", Away(queue.stored.extend, 1))
    with broker.workers("q", handler, workers=1):
        queue.push("long")
        handler.wait_for(1)
        for _ in range(6):
            clock.advance(10.0)
        assert counts(queue) == {"leased": 1, "accepted": 1}
        handler.finish.set()
        wait_until(lambda: queue.stats().acked == 1)
    assert handler.seen == [("long", 1)]


def test_a_pool_stops_although_its_store_takes_nothing_back(
    broker: Broker, open_queue: Open, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = open_queue()
    pool = broker.workers("q", handler, workers=1)
    queue.push("a")
    handler.wait_for(1)
    monkeypatch.setattr(type(queue.stored), "release", Away(queue.stored.release, 1))
    assert Call(pool.stop, drain=False).result() is False
    handler.finish.set()
    wait_until(lambda: queue.stats().acked == 1)


def test_an_error_that_cannot_say_what_it_is_is_a_failure_like_any_other(broker: Broker, open_queue: Open) -> None:
    queue = open_queue(retry=Retry(max_attempts=1))

    class Mute(Exception):
        def __str__(self) -> str:
            raise IndexError("no words")

    def fail(message: Message) -> None:
        raise Mute

    queue.push_many(["a", "b"])
    with broker.workers("q", fail, workers=1):
        wait_until(lambda: queue.stats().dead == 2)
    assert {letter.error for letter in queue.dead_letters} == {"Mute: <it cannot say>"}


def test_a_pool_that_cannot_start_all_of_its_threads_leaves_none(
    broker: Broker, open_queue: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = open_queue()
    start: Callable[[threading.Thread], None] = threading.Thread.start
    started: list[threading.Thread] = []

    def start_two(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_two)
    with pytest.raises(RuntimeError, match="new thread"):
        broker.workers("q", lambda message: None, workers=3)
    for thread in started:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in started)
    queue.push("a")
    assert counts(queue) == {"ready": 1, "accepted": 1}
