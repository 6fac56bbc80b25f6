"""Hypothesis drives a queue and its model side by side and compares whatever can be seen after every step."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from lightbroker import Broker, BrokerError, Delivery, ManualClock, Overflow, QueueClosed, QueueFull, Retry
from lightbroker.core.policy import QueueOptions
from tests.adversary.models.model import Item, Lease, ModelQueue, SharedModelQueue
from tests.adversary.models.model_run import CountingMachine, drive
from tests.contract.stores import STORES, fresh_urls

# Quarters of a second: binary fractions, so that sums are exact and many events fall on the same instant.
TIMES = st.sampled_from([0.25, 0.5, 1.0, 2.0])
DELAYS = st.sampled_from([0.0, 0.0, 0.0, 0.25, 1.0])
TTLS = st.sampled_from([None, None, 0.5, 1.0, 3.0])
BOUNDS = st.sampled_from([None, 1, 2, 3, 4])
PICK = st.tuples(st.integers(0, 4), st.sampled_from([True, True, True, False]))  # which, and whether its lease holds

OPTIONS = st.builds(
    QueueOptions,
    capacity=BOUNDS,
    overflow=st.sampled_from(Overflow),
    lease=st.sampled_from([0.5, 1.0, 2.0, 5.0]),
    retry=st.builds(
        Retry,
        max_attempts=st.sampled_from([1, 2, 3, 3]),
        base=st.sampled_from([0.0, 0.25, 1.0]),
        factor=st.just(2.0),
        cap=st.sampled_from([0.5, 8.0]),
        jitter=st.just(False),
    ),
    ttl=TTLS,
    dead_capacity=BOUNDS,
)


class QueueMachine(CountingMachine):
    """Subclass it with another `open_broker` for another store."""

    open_broker: ClassVar[Callable[[ManualClock], Broker]] = staticmethod(lambda clock: Broker(clock=clock))
    model_queue: ClassVar[type[ModelQueue]] = ModelQueue

    def __init__(self) -> None:
        super().__init__()
        self.labels: dict[str, int] = {}  # by the id that the broker gave
        self.ids: dict[int, str] = {}
        self.leases: list[tuple[Delivery, Lease]] = []  # all that ever were, the stale ones too
        self.receipts: set[str] = set()
        self.pushed = 0

    @initialize(options=OPTIONS)
    def declare(self, options: QueueOptions) -> None:
        self.clock = ManualClock(100.0)
        self.broker = self.open_broker(self.clock)
        self.queue = self.broker.queue("q", **{name: getattr(options, name) for name in vars(options)})
        self.model = self.model_queue(options, 100.0)

    def both(self, real: Callable[[], Any], model: Callable[[], Any]) -> tuple[Any, Any] | None:
        """Call both; they return, or raise the same error. Return what they returned."""
        outcomes: list[Any] = []
        errors: list[BrokerError | None] = []
        for call in (real, model):
            try:
                outcomes.append(call())
                errors.append(None)
            except BrokerError as error:
                outcomes.append(None)
                errors.append(error)
        assert type(errors[0]) is type(errors[1]), f"queue {errors[0]!r}, model {errors[1]!r}: {outcomes}"
        rule = real.__qualname__.split(".")[1]
        self.seen[f"{rule}: {'ok' if errors[0] is None else type(errors[0]).__name__}"] += 1
        if isinstance(errors[0], QueueFull) and isinstance(errors[1], QueueFull):
            assert len(errors[0].accepted) == len(errors[1].accepted)
            self.learn(list(errors[0].accepted), [int(label) for label in errors[1].accepted])
        return None if errors[0] else (outcomes[0], outcomes[1])

    def learn(self, ids: list[str | None], labels: list[int | None]) -> None:
        assert len(ids) == len(labels)
        for id, label in zip(ids, labels):
            assert (id is None) == (label is None), (ids, labels)
            if id is not None and label is not None:
                assert id not in self.labels, "an id is used again"
                self.labels[id], self.ids[label] = label, id

    def lease(self, deliveries: list[Delivery], leases: list[Lease]) -> None:
        assert len(deliveries) == len(leases), (deliveries, leases)
        for delivery, lease in zip(deliveries, leases):
            self.same(delivery.message, lease.item)
            assert delivery.deadline == lease.deadline
            assert delivery.receipt not in self.receipts, "a receipt is used again"
            self.receipts.add(delivery.receipt)
            self.leases.append((delivery, lease))

    def same(self, message: Any, item: Item) -> None:
        assert message.json() == item.label
        assert self.labels.setdefault(message.id, item.label) == item.label  # a dropped batch tells no ids
        assert (message.attempts, message.timestamp) == (item.attempts, item.pushed)
        assert message.headers == {"label": str(item.label // 10)}

    def new(self, count: int) -> tuple[list[int], dict[str, str]]:
        """Make labels; the headers of a batch are shared, so they name its tens."""
        start = self.pushed = (self.pushed // 10 + 1) * 10
        return list(range(start, start + count)), {"label": str(start // 10)}

    @rule(delay=DELAYS, ttl=TTLS, data=st.booleans())
    def push(self, delay: float, ttl: float | None, data: bool) -> None:
        (label,), headers = self.new(1)
        body: object = label if data else json.dumps(label).encode()
        done = self.both(
            lambda: self.broker.push("q", body, timeout=0, delay=delay, ttl=ttl, headers=headers),
            lambda: self.model.push(label, delay, ttl),
        )
        if done is not None:
            self.learn([done[0]], [done[1]])

    @rule(count=st.integers(0, 5), delay=DELAYS, ttl=TTLS)
    def push_many(self, count: int, delay: float, ttl: float | None) -> None:
        labels, headers = self.new(count)
        done = self.both(
            lambda: self.queue.push_many(labels, timeout=0, delay=delay, ttl=ttl, headers=headers),
            lambda: self.model.push_many(labels, delay, ttl),
        )
        if done is not None:
            self.learn(*done)

    @rule()
    def pull(self) -> None:
        done = self.both(lambda: [self.broker.pull("q", timeout=0)], lambda: self.model.pull_many(1))
        if done is not None:
            self.lease(*done)

    @rule(most=st.integers(1, 5))
    def pull_many(self, most: int) -> None:
        done = self.both(lambda: self.queue.pull_many(most, timeout=0), lambda: self.model.pull_many(most))
        if done is not None:
            self.lease(*done)

    def pick(self, which: tuple[int, bool]) -> tuple[Delivery, Lease]:
        """One whose lease holds, if it is asked for and there is one, else any; counted from the newest."""
        number, live = which
        held = [pair for pair in self.leases if any(pair[1] is lease for lease in self.model.leased)]
        pairs = held if held and live else self.leases
        return pairs[-1 - number % len(pairs)]

    @precondition(lambda self: self.leases)
    @rule(which=PICK)
    def ack(self, which: tuple[int, bool]) -> None:
        delivery, lease = self.pick(which)
        self.both(delivery.ack, lambda: self.model.ack(lease))

    @precondition(lambda self: self.leases)
    @rule(picks=st.lists(PICK, max_size=4))
    def ack_many(self, picks: list[tuple[int, bool]]) -> None:
        picked = [self.pick(which) for which in picks]
        self.both(
            lambda: self.queue.ack_many(delivery for delivery, _ in picked),
            lambda: self.model.ack_many([lease for _, lease in picked]),
        )

    @precondition(lambda self: self.leases)
    @rule(which=PICK, delay=st.none() | DELAYS, error=st.sampled_from([None, "text", ValueError("why")]))
    def nack(self, which: tuple[int, bool], delay: float | None, error: Any) -> None:
        delivery, lease = self.pick(which)
        text = "ValueError: why" if isinstance(error, ValueError) else error or ""
        self.both(lambda: delivery.nack(error, delay), lambda: self.model.nack(lease, text, delay))

    @precondition(lambda self: self.leases)
    @rule(which=PICK)
    def release(self, which: tuple[int, bool]) -> None:
        delivery, lease = self.pick(which)
        self.both(delivery.release, lambda: self.model.release(lease))

    @precondition(lambda self: self.leases)
    @rule(which=PICK)
    def reject(self, which: tuple[int, bool]) -> None:
        delivery, lease = self.pick(which)
        self.both(lambda: delivery.reject("bad"), lambda: self.model.reject(lease, "bad"))

    @precondition(lambda self: self.leases)
    @rule(which=PICK, seconds=TIMES)
    def extend(self, which: tuple[int, bool], seconds: float) -> None:
        delivery, lease = self.pick(which)
        self.both(lambda: delivery.extend(seconds), lambda: self.model.extend(lease, seconds))
        assert delivery.deadline == lease.deadline

    @precondition(lambda self: self.model.dead)
    @rule(limit=st.none() | st.integers(1, 3))
    def redrive(self, limit: int | None) -> None:
        dlq = self.broker.dlq("q")
        done = self.both(lambda: dlq.redrive(limit=limit), lambda: self.model.redrive(None, limit))
        assert done is not None
        assert done[0] == done[1]

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), limit=st.none() | st.integers(1, 3))
    def redrive_some(self, data: st.DataObject, limit: int | None) -> None:
        labels = data.draw(st.lists(st.sampled_from(sorted(self.ids)), max_size=4), "labels")
        ids = [*(self.ids[label] for label in labels), "unknown"]
        done = self.both(lambda: self.broker.dlq("q").redrive(ids, limit), lambda: self.model.redrive(labels, limit))
        assert done is not None
        assert done[0] == done[1]

    @precondition(lambda self: self.model.dead)
    @rule()
    def purge(self) -> None:
        done = self.both(lambda: self.broker.dlq("q").purge(), self.model.purge)
        assert done is not None
        assert done[0] == done[1]

    @rule(seconds=st.just(0.0) | TIMES)
    def advance(self, seconds: float) -> None:
        self.both(lambda: self.clock.advance(seconds), lambda: self.model.advance(seconds))

    @invariant()
    def counts_agree(self) -> None:
        if hasattr(self, "model"):
            assert asdict(self.queue.stats()) == self.model.stats()
            self.broker.check()

    @invariant()
    def dead_letters_agree(self) -> None:
        if not hasattr(self, "model"):
            return
        letters = list(self.broker.dlq("q"))
        assert len(letters) == len(self.model.dead) == len(self.broker.dlq("q"))
        for letter, dead in zip(letters, self.model.dead):
            self.same(letter.message, dead.item)
            self.ids.setdefault(dead.item.label, letter.message.id)
            assert (letter.queue, letter.reason, letter.error) == ("q", dead.reason, dead.item.error or "")
            assert (letter.first_failed_at, letter.last_failed_at) == (dead.first, dead.last)

    def teardown(self) -> None:
        """What is left comes out in the same order; then the closed queue refuses."""
        if not hasattr(self, "model"):
            return
        while self.model.ready or self.model.delayed or self.model.leased:
            while self.model.ready:
                self.pull_many(5)
                self.counts_agree()
                self.both(
                    lambda: self.queue.ack_many(delivery for delivery, _ in self.leases[-5:]),
                    lambda: self.model.ack_many([lease for _, lease in self.leases[-5:]]),
                )
            self.advance(2.0)
            self.counts_agree()
            self.dead_letters_agree()
        self.broker.close(drain=False)
        for call in (lambda: self.queue.push("late"), lambda: self.queue.pull(0)):
            try:
                call()
            except QueueClosed:
                continue
            raise AssertionError("a closed queue goes on")


def run(
    examples: int = 10_000, steps: int = 100, machine: type[QueueMachine] = QueueMachine, shrink: bool = True
) -> dict[str, Any]:
    """Run so many examples of at most so many steps; how often each rule ended how.

    Raises the error of the first difference; with `shrink`, of the smallest example that Hypothesis can make of it.
    """
    return drive(machine, examples, steps, shrink)


def run_over(store: str, examples: int, steps: int) -> dict[str, Any]:
    """`run`, each example on an empty store of that name in the registry; raises Unavailable."""
    with fresh_urls(store) as fresh:
        fresh()

        class Machine(QueueMachine):
            open_broker = staticmethod(lambda clock: Broker(fresh(), clock=clock))
            model_queue = SharedModelQueue if STORES[store].durable else ModelQueue

        return run(examples, steps, Machine)
