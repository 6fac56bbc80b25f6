"""Many producers, a hundred careless consumers, then the books: what happened to every single message.

Consumers nack, release, reject, crash and hang at random, in real time with short leases; somebody redrives. A run
is cut into epochs. At the end of each nothing moves, so the accounts (see `total_queue_account`), the conservation law
and the permits can be checked exactly, and memory stays bounded however long the run.
"""

import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count, islice
from typing import Any

from lightbroker import Broker, Delivery, InvariantError, LeaseLost, Queue, QueueEmpty, QueueFull, Retry
from lightbroker.core.clock import Clock
from lightbroker.core.stats import QueueStats
from tests.adversary.models.total_queue_account import SEQUENCE_BITS, Books, Outcome, Record
from tests.contract.facade import Facade
from tests.contract.stores import fresh_urls

CAPACITY = 1000
MAX_ATTEMPTS = 3
BATCH = 10
LAST = b"last"  # tells a consumer to go home
LATE = 1.0  # seconds by which a hanging consumer outstays its lease
PATIENCE = 60.0  # seconds after which an epoch that has not ended is stuck
# The share of deliveries that ends so; the rest is acked.
NACK, RELEASE, REJECT, CRASH = 0.05, 0.01, 0.005, 0.0005


class _Bell:
    """Tells that a clock has rung every alarm of before: it rings them in the order of their times, in one thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._rang = clock, threading.Event()
        self._alarm = clock.alarm(self._ring)

    def wait(self) -> None:
        self._alarm.set(self._clock.monotonic())
        self._rang.wait(PATIENCE)

    def _ring(self) -> None:
        self._rang.set()


class _Consumer:
    def __init__(self, queue: Queue, number: int, seed: str, hang: float, ticks: "count[int]") -> None:
        self.queue, self.hanging, self.ticks = queue, hang, ticks
        self.batches = number % 10 == 0
        self.random = random.Random(f"{seed}/{number}")
        self.records: list[Record] = []
        self.complaints: list[tuple[str, str]] = []

    def run(self) -> None:
        try:
            while True:
                begin = next(self.ticks)
                try:
                    deliveries = self.queue.pull_many(BATCH, 0.05) if self.batches else [self.queue.pull(0.05)]
                except QueueEmpty:
                    continue
                end = next(self.ticks)
                if deliveries[0].message.body == LAST:
                    return self.go_home(deliveries)
                for delivery, outcome in zip(deliveries, self.settle(deliveries)):
                    number, attempts = int.from_bytes(delivery.message.body, "big"), delivery.message.attempts
                    self.records.append(Record(number, attempts, begin, end, outcome))
        except BaseException as error:
            self.complaints.append(("error", f"a consumer ended: {error!r}"))

    def go_home(self, deliveries: list[Delivery]) -> None:
        self.queue.ack_many(deliveries)
        self.queue.push_many([LAST] * (len(deliveries) - 1))

    def settle(self, deliveries: list[Delivery]) -> list[Outcome]:
        draw = self.random.random()
        if len(deliveries) > 1 and draw < 0.8:
            return self.settle_batch(deliveries)
        return [self.settle_one(delivery) for delivery in deliveries]

    def settle_batch(self, deliveries: list[Delivery]) -> list[Outcome]:
        try:
            self.queue.ack_many(deliveries)
        except LeaseLost:
            self.check_late(min(deliveries, key=lambda delivery: delivery.deadline))
            return [Outcome.MAYBE_ACKED] * len(deliveries)
        return [Outcome.ACKED] * len(deliveries)

    def settle_one(self, delivery: Delivery) -> Outcome:
        draw = self.random.random()
        if draw < self.hanging:
            return self.hang(delivery)
        if (draw := draw - self.hanging) < CRASH:
            return Outcome.CRASHED
        try:
            if (draw := draw - CRASH) < NACK:
                delivery.nack("no", delay=0 if draw < NACK / 2 else None)
                return Outcome.NACKED
            if (draw := draw - NACK) < RELEASE:
                delivery.release()
                return Outcome.RELEASED
            if draw - RELEASE < REJECT:
                delivery.reject("never")
                return Outcome.REJECTED
            delivery.ack()
        except LeaseLost:
            self.check_late(delivery)
            return Outcome.LOST
        return Outcome.ACKED

    def hang(self, delivery: Delivery) -> Outcome:
        time.sleep(max(0.0, delivery.deadline - time.monotonic()) + LATE)
        _Bell(self.queue.clock).wait()  # on a machine that is busy enough, the clock itself may be late
        try:
            delivery.ack()
        except LeaseLost:
            return Outcome.HUNG
        self.complaints.append(("late ack", f"taken {LATE:g} s after the lease ran out: {delivery}"))
        return Outcome.ACKED

    def check_late(self, delivery: Delivery) -> None:
        if time.monotonic() < delivery.deadline:
            self.complaints.append(("early expiry", f"a lease was lost before its deadline: {delivery}"))


def _produce(queue: Queue, producer: int, numbers: range, pause: Callable[[], float]) -> None:
    """Push one at a time, and now and then a batch."""
    rest = iter(numbers)
    start = producer << SEQUENCE_BITS
    for number in rest:
        queue.push((start + number).to_bytes(8, "big"))
        if pause() < 0.01:
            queue.push_many([(start + number).to_bytes(8, "big") for number in islice(rest, BATCH)])


def _redrive(queue: Queue, stop: threading.Event, drawn: random.Random) -> None:
    while not stop.wait(0.02):
        dead = [letter.message.id for letter in queue.dead_letters]
        if drawn.random() < 0.5:
            queue.dead_letters.redrive(limit=1 + len(dead) // 2)
        else:
            queue.dead_letters.redrive(drawn.sample(dead, len(dead) // 2))


def _epoch(queue: Queue, seed: str, numbers: range, producers: int, consumers: int, hang: float, books: Books) -> None:
    ticks, stop_redriving = count(), threading.Event()
    before = queue.stats()
    workers = [_Consumer(queue, number, seed, hang, ticks) for number in range(consumers)]
    consuming = [threading.Thread(target=worker.run, daemon=True) for worker in workers]
    producing = [
        threading.Thread(target=_produce, args=(queue, n, numbers, random.Random(f"{seed}p{n}").random), daemon=True)
        for n in range(producers)
    ]
    redriving = threading.Thread(target=_redrive, args=(queue, stop_redriving, random.Random(f"{seed}r")), daemon=True)
    for thread in (*consuming, *producing, redriving):
        thread.start()
    for thread in producing:
        thread.join()
    stop_redriving.set()
    until = time.monotonic() + PATIENCE
    redriving.join(PATIENCE)
    while queue.stats().held and time.monotonic() < until:
        time.sleep(0.005)
    after = queue.stats()
    queue.push_many([LAST] * consumers)
    for thread in consuming:
        thread.join(max(0.0, until - time.monotonic()))
    if after.held or any(thread.is_alive() for thread in (*consuming, redriving)):
        books.complain("stuck", f"after {PATIENCE:g} s there is {queue.stats()}")
    records = [record for worker in workers for record in worker.records]
    for worker in workers:
        for complaint in worker.complaints:
            books.complain(*complaint)
    if len(queue.dead_letters) != after.dead:
        books.complain("stuck", f"something moved after the end: {after}, then {queue.stats()}")
    dead = [int.from_bytes(letter.message.body, "big") for letter in queue.dead_letters]
    if queue.dead_letters.purge() != len(dead):
        books.complain("purge", "it did not count what it purged")
    books.account([n << SEQUENCE_BITS | m for n in range(producers) for m in numbers], records, dead)
    _check_counts(before, after, producers * len(numbers), records, dead, books)


def _check_counts(
    before: QueueStats, after: QueueStats, pushed: int, records: list[Record], dead: list[int], books: Books
) -> None:
    grown = {name: getattr(after, name) - getattr(before, name) for name in vars(after) if name != "capacity"}
    acked = sum(record.outcome == Outcome.ACKED for record in records)
    maybe = sum(record.outcome == Outcome.MAYBE_ACKED for record in records)
    released = sum(record.outcome == Outcome.RELEASED for record in records)
    if grown["accepted"] != pushed or after.dead != len(dead):
        books.complain("counters", f"pushed {pushed}, {len(dead)} dead, counted {grown}")
    if not acked <= grown["acked"] <= acked + maybe:
        books.complain("counters", f"acked {acked} to {acked + maybe}, counted {grown}")
    if len(records) != grown["accepted"] + grown["retried"] + grown["redriven"] + released:
        books.complain("counters", f"{len(records)} deliveries, {released} releases, counted {grown}")


def _check_permits(queue: Queue, books: Books) -> None:
    """The law holds, and the whole capacity can be filled again: not less, not more."""
    try:
        queue.stored.check()
        queue.push_many([b"fill"] * CAPACITY, timeout=0)
        try:
            queue.push(b"too many", timeout=0)
            books.complain("permits", "the queue takes more than its capacity")
        except QueueFull:
            pass
        queue.ack_many(queue.pull_many(2 * CAPACITY, 0))
        queue.stored.check()
    except QueueFull as error:
        books.complain("permits", f"only {len(error.accepted)} of {CAPACITY} fit into the empty queue")
        queue.ack_many(queue.pull_many(2 * CAPACITY, 0))
    except (InvariantError, QueueEmpty) as error:
        books.complain("law", repr(error))


@contextmanager
def switching_every(seconds: float | None) -> Iterator[None]:
    """Let threads switch after so many seconds inside; None leaves it as it is."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual if seconds is None else seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def run(
    messages: int = 10_000_000,
    *,
    epoch: int = 500_000,
    producers: int = 10,
    consumers: int = 100,
    lease: float = 0.5,
    hang: float = 0.0002,
    seed: int = 1,
    switch_interval: float | None = None,
    open_broker: Callable[[], Broker] = Broker,
) -> dict[str, Any]:
    """Push at least `messages`, account for each; what was found. It is right if `violations` is empty.

    epoch: messages between two accounts; lease: seconds; hang: the share of deliveries that are held beyond it;
    switch_interval: seconds after which threads switch, None as usual.
    """
    books = Books(MAX_ATTEMPTS)
    each = -(-min(epoch, messages) // producers)
    started = time.monotonic()
    pushed = 0
    with switching_every(switch_interval), open_broker() as broker:
        queue = broker.queue("q", CAPACITY, lease=lease, retry=Retry(MAX_ATTEMPTS, base=0.01, seed=seed))
        while pushed < messages and not books.violations["stuck"]:
            first = pushed // producers
            _epoch(queue, f"{seed}/{first}", range(first, first + each), producers, consumers, hang, books)
            _check_permits(queue, books)
            pushed += each * producers
        stats = queue.stats()
    return {
        "messages": pushed,
        "producers": producers,
        "consumers": consumers,
        "switch_interval": switch_interval,
        "seconds": round(time.monotonic() - started, 1),
        "deliveries": books.deliveries,
        "outcomes": dict(books.outcomes.most_common()),
        "most_deliveries_of_one_message": books.most_deliveries,
        "worked_twice_as_a_lease_ran_out": books.worked_twice,
        "lost": books.violations["lost"],
        "unexpected": books.violations["unexpected"],
        "retried": stats.retried,
        "redriven": stats.redriven,
        "purged": stats.purged,
        "violations": dict(+books.violations),
        "told": books.told,
    }


def run_over(store: str, messages: int, **options: Any) -> dict[str, Any]:
    """`run` on an empty store of that name in the registry; raises Unavailable."""
    with fresh_urls(store) as fresh:
        return run(messages, **options, open_broker=lambda: Broker(fresh()))


def run_through_a_loop(messages: int, **options: Any) -> dict[str, Any]:
    """`run` on an `AsyncBroker`: each call of its threads is a coroutine in one event loop."""
    return run(messages, **options, open_broker=Facade)  # type: ignore[arg-type]
