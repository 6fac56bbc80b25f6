"""Topics as plain lists, and Hypothesis to drive them beside the broker: who gets which copy, in which order.

A pattern is matched by a regular expression here, the broker walks a trie.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from lightbroker import Broker, ManualClock, Overflow, QueueClosed, QueueEmpty, Subscription
from lightbroker.core.stats import SubscriptionStats
from tests.adversary.models.model_run import CountingMachine, drive

TOKENS = st.sampled_from(["a", "a", "b"])
TOPICS = st.lists(TOKENS, min_size=1, max_size=2).map(".".join)
PATTERNS = st.builds(
    lambda tokens, rest: ".".join([*tokens, *rest]),
    st.lists(TOKENS | st.just("*"), min_size=1, max_size=2),
    st.sampled_from([[], [], [">"]]),
) | st.just(">")
QUEUES = {"one": 1, "three": 3, "many": None}  # bound queues and their capacities; they refuse what is too much
MOST_BOUND = 3
POLICIES = (Overflow.REJECT, Overflow.DROP_NEWEST, Overflow.DROP_OLDEST)  # BLOCK would wait: see the schedules


def matches(pattern: str, topic: str) -> bool:
    expression = re.escape(pattern).replace(r"\*", "[^.]+").replace(">", ".+")
    return re.fullmatch(expression, topic) is not None


@dataclass
class Buffer:
    pattern: str
    group: str | None
    capacity: int | None
    policy: Overflow
    held: list[int] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    members: int = 0

    def offer(self, number: int) -> bool:
        if self.capacity is not None and len(self.held) >= self.capacity:
            if self.policy is Overflow.REJECT:
                self.counts["refused"] += 1
                return False
            self.counts["received"] += 1
            self.counts["dropped"] += 1
            if self.policy is Overflow.DROP_NEWEST:
                return False
            self.held.pop(0)
        else:
            self.counts["received"] += 1
        self.held.append(number)
        return True

    def stats(self) -> SubscriptionStats:
        numbers = (self.counts[name] for name in ("received", "delivered", "dropped", "refused"))
        return SubscriptionStats(self.pattern, self.group, len(self.held), self.capacity, *numbers)


@dataclass
class Reader:
    real: Subscription
    buffer: Buffer
    closed: bool = False


class TopicMachine(CountingMachine):
    """Subclass it with another `open_broker` for another store."""

    open_broker: ClassVar[Callable[[ManualClock], Broker]] = staticmethod(lambda clock: Broker(clock=clock))

    @initialize()
    def open(self) -> None:
        self.broker = self.open_broker(ManualClock(100.0))
        for name, capacity in QUEUES.items():
            self.broker.queue(name, capacity=capacity, overflow=Overflow.REJECT)
        self.queued: dict[str, list[int]] = {name: [] for name in QUEUES}
        self.bound: set[tuple[str, str]] = set()
        self.readers: list[Reader] = []
        self.buffers: list[Buffer] = []
        self.numbers = count()

    @rule(
        pattern=PATTERNS,
        capacity=st.sampled_from([None, 1, 2]),
        policy=st.sampled_from(POLICIES),
        group=st.sampled_from([None, "g", "g"]),
    )
    def subscribe(self, pattern: str, capacity: int | None, policy: Overflow, group: str | None) -> None:
        shared = [b for b in self.buffers if group is not None and (b.pattern, b.group) == (pattern, group)]
        differs = any((b.capacity, b.policy) != (capacity, policy) for b in shared)
        try:
            real = self.broker.subscribe(pattern, capacity, policy, group)
        except ValueError:
            assert differs
            self.seen["subscribe: ValueError"] += 1
            return
        assert not differs
        if not shared:
            shared = [Buffer(pattern, group, capacity, policy)]
            self.buffers += shared
        shared[0].members += 1
        self.readers.append(Reader(real, shared[0]))
        self.seen["subscribe: joined" if shared[0].members > 1 else "subscribe: alone"] += 1

    @precondition(lambda self: len(self.bound) < MOST_BOUND)
    @rule(pattern=PATTERNS, queue=st.sampled_from(sorted(QUEUES)))
    def bind(self, pattern: str, queue: str) -> None:
        self.broker.bind(pattern, queue)
        self.bound.add((pattern, queue))
        self.seen["bind"] += 1

    @rule(topic=TOPICS)
    def publish(self, topic: str) -> None:
        number = next(self.numbers)
        copies = [buffer.offer(number) for buffer in self.buffers if matches(buffer.pattern, topic)]
        for name in {queue for pattern, queue in self.bound if matches(pattern, topic)}:
            capacity = QUEUES[name]
            copies.append(capacity is None or len(self.queued[name]) < capacity)
            if copies[-1]:
                self.queued[name].append(number)
        assert self.broker.publish(topic, number) == sum(copies)
        self.seen[f"publish: {'some' if copies else 'nobody'}"] += 1

    @precondition(lambda self: self.readers)
    @rule(which=st.integers(0, 9), full=st.sampled_from([True, True, False]))
    def get(self, which: int, full: bool) -> None:
        """Read for any reader; with `full`, for one with something to read, if there is one."""
        readers = [r for r in self.readers if full and r.buffer.held and not r.closed] or self.readers
        reader = readers[which % len(readers)]
        expected: Any = QueueClosed if reader.closed else reader.buffer.held[0] if reader.buffer.held else QueueEmpty
        try:
            found: Any = reader.real.get(timeout=0).json()
            reader.buffer.held.pop(0)
            reader.buffer.counts["delivered"] += 1
        except (QueueClosed, QueueEmpty) as error:
            found = type(error)
        assert found == expected
        self.seen[f"get: {'a message' if isinstance(found, int) else found.__name__}"] += 1

    @precondition(lambda self: self.readers)
    @rule(which=st.integers(0, 9))
    def leave(self, which: int) -> None:
        reader = self.readers[which % len(self.readers)]
        reader.real.close()
        self.seen[f"leave: {'again' if reader.closed else 'last' if reader.buffer.members == 1 else 'first'}"] += 1
        if not reader.closed:
            reader.closed = True
            reader.buffer.members -= 1
            if not reader.buffer.members:
                self.buffers = [buffer for buffer in self.buffers if buffer is not reader.buffer]

    @rule(name=st.sampled_from(sorted(QUEUES)))
    def work(self, name: str) -> None:
        while self.queued[name]:
            with self.broker.pull(name, timeout=0) as message:
                assert message.json() == self.queued[name].pop(0)
            self.seen["work"] += 1

    @invariant()
    def numbers_agree(self) -> None:
        if hasattr(self, "broker"):
            assert list(self.broker.stats().subscriptions) == [buffer.stats() for buffer in self.buffers]
            assert {n: q.ready for n, q in self.broker.stats().queues.items()} == {
                name: len(held) for name, held in self.queued.items()
            }
            self.broker.check()

    def teardown(self) -> None:
        if hasattr(self, "broker"):
            for name in QUEUES:
                self.work(name)
            self.broker.close()


def run(
    examples: int = 10_000, steps: int = 100, machine: type[TopicMachine] = TopicMachine, shrink: bool = True
) -> dict[str, Any]:
    """See `drive`."""
    return drive(machine, examples, steps, shrink)
