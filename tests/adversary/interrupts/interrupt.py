"""Ctrl-C at any moment: a real SIGINT hits the main thread at random while it drives a bounded queue.

A child process works; its parent sends the signals, so that they arrive anywhere and not only where a thread of the
child gave up the GIL. Each one aborts whatever verb is running. Afterwards every accepted message must be settled or
deliverable, the law exact, and no permit leaked.

`python -m tests.adversary.interrupts.interrupt SIGNALS POLICY STORE` is the child.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from lightbroker import Broker, Delivery, InvariantError, LeaseLost, Overflow, Queue, QueueEmpty, QueueFull, Retry
from lightbroker.core.clock import Clock
from lightbroker.core.memory.queue import MemoryQueue
from lightbroker.core.memory.store import MemoryStore
from lightbroker.core.policy import QueueOptions
from lightbroker.core.store import Note

ROOT = Path(__file__).parents[3]
CAPACITY = 64
LEASE = 0.05  # seconds
PATIENCE = 30.0  # seconds after which a child hangs, on top of 10 ms for each signal
FAULTS = ("lost", "returned", "leaked", "stuck", "broken_laws")
POLICIES = (Overflow.BLOCK, Overflow.DROP_OLDEST, Overflow.DEAD_LETTER)


def run(signals: int, *, store: str = "atomic", policies: tuple[Overflow, ...] = POLICIES) -> dict[str, Any]:
    """Share `signals` among `policies`; the sums of what the children counted.

    lost: accepted, never settled and nowhere to be found; returned: acked and delivered once more; leaked: places that
    cannot be filled again; stuck: still held long after every lease ran out; broken_laws: calls of `check` that failed.
    """
    children = [_child(signals // len(policies), policy, store) for policy in policies]
    return {key: sum(child[key] for child in children) for key in children[0]}


def _child(signals: int, policy: Overflow, store: str) -> dict[str, int]:
    rng = random.Random(signals)
    command = (sys.executable, "-m", "tests.adversary.interrupts.interrupt", str(signals), policy.value, store)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        until = time.monotonic() + PATIENCE + signals / 100
        while child.poll() is None:
            if time.monotonic() > until:
                child.kill()
                raise TimeoutError(f"{signals} signals, {policy}, {store}: the child hangs")
            time.sleep(rng.uniform(0.0, 0.0005))
            with suppress(ProcessLookupError):
                child.send_signal(signal.SIGINT)
        counts: dict[str, int] = json.loads(child.stdout.read())
        return counts


class Chaos:
    """Calls random verbs and writes down, in steps that an interrupt cannot cut, what it knows of each body."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.numbers = count()
        self.accepted: set[bytes] = set()  # the push returned
        self.settling: set[bytes] = set()  # an ack or the like was begun
        self.acked: set[bytes] = set()  # the ack returned
        self.held: list[Delivery] = []
        self.operations = 0
        self.rng = random.Random(1)
        self.verbs: tuple[Callable[[], object], ...] = (
            *(self.push, self.push, self.push, self.push_many, self.push_delayed),
            *(self.pull, self.pull, self.pull, self.pull, self.pull_many),
            *(self.ack, self.ack, self.ack_many, self.nack, self.nack_now, self.release, self.reject, self.extend),
            *(self.redrive, self.purge),
        )

    def step(self) -> None:
        """Call one verb; that a queue is full or empty, or a lease over, is as good an outcome as any."""
        self.operations += 1
        with suppress(QueueFull, QueueEmpty, LeaseLost):
            self.rng.choice(self.verbs)()

    def bodies(self, n: int) -> list[bytes]:
        return [b"%d" % number for number in (next(self.numbers) for _ in range(n))]

    def push(self, delay: float = 0.0) -> None:
        (body,) = self.bodies(1)
        if self.queue.push(body, timeout=self.rng.choice((0.0, 0.0002)), delay=delay) is not None:
            self.accepted.add(body)

    def push_delayed(self) -> None:
        self.push(self.rng.uniform(0.0, LEASE / 10))

    def push_many(self) -> None:
        bodies = self.bodies(4)
        ids = self.queue.push_many(bodies, timeout=0.0)
        self.accepted.update(body for body, id in zip(bodies, ids, strict=True) if id is not None)

    def pull(self) -> None:
        self.held.append(self.queue.pull(self.rng.choice((0.0, 0.0002))))

    def pull_many(self) -> None:
        self.held.extend(self.queue.pull_many(4, 0.0))

    def some(self) -> Delivery:
        if not self.held:
            raise QueueEmpty
        return self.held.pop(self.rng.randrange(len(self.held)))

    def ack(self) -> None:
        delivery = self.some()
        self.settling.add(delivery.message.body)
        delivery.ack()
        self.acked.add(delivery.message.body)

    def ack_many(self) -> None:
        deliveries = [self.some() for _ in range(min(4, len(self.held)))]
        bodies = [delivery.message.body for delivery in deliveries]
        self.settling.update(bodies)
        self.queue.ack_many(deliveries)
        self.acked.update(bodies)

    def nack(self) -> None:
        self.some().nack(ValueError("no"))

    def nack_now(self) -> None:
        self.some().nack("no", delay=0.0)

    def release(self) -> None:
        self.some().release()

    def reject(self) -> None:
        self.some().reject("no")

    def extend(self) -> None:
        self.rng.choice(self.held or [self.some()]).extend(LEASE)

    def redrive(self) -> None:
        self.queue.dead_letters.redrive(limit=4)

    def purge(self) -> None:
        if self.rng.random() < 0.05:
            self.settling.update(letter.message.body for letter in self.queue.dead_letters)
            self.queue.dead_letters.purge()

    def remaining(self) -> Iterator[bytes]:
        """Ack whatever can still be delivered, until nothing is held or that takes too long."""
        until = time.monotonic() + 60 * LEASE
        while self.queue.stats().held and time.monotonic() < until:
            with suppress(QueueEmpty, LeaseLost):
                delivery = self.queue.pull(LEASE)
                yield delivery.message.body
                delivery.ack()


def torment(signals: int, policy: Overflow, store: MemoryStore) -> dict[str, int]:
    """Drive a queue until `signals` interrupts have hit it, then account for every message."""
    broker = Broker(store)
    queue = broker.queue(
        "chaos", CAPACITY, policy, LEASE, retry=Retry(3, base=LEASE / 10, cap=LEASE / 10), dead_capacity=None
    )
    chaos = Chaos(queue)
    hits = 0
    armed = False

    def interrupted(*_: object) -> None:
        nonlocal hits, armed
        if armed:
            armed = False
            hits += 1
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupted)
    print("ready", flush=True)
    while hits < signals:
        with suppress(KeyboardInterrupt):
            armed = True
            chaos.step()
            armed = False
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    broken = _broken(broker)
    found = {letter.message.body for letter in queue.dead_letters}
    returned = 0
    for body in chaos.remaining():
        found.add(body)
        returned += body in chaos.acked
    found |= {letter.message.body for letter in queue.dead_letters}
    stats = queue.stats()
    missing = len(chaos.accepted - chaos.settling - found)
    with suppress(QueueFull):
        for _ in range(CAPACITY):
            queue.push(b"", timeout=0.0)
    return {
        "signals": hits,
        "operations": chaos.operations,
        "accepted": stats.accepted,
        "lost": max(0, missing - stats.dropped),
        "returned": returned,
        "leaked": CAPACITY - queue.stats().held,
        "stuck": stats.held,
        "broken_laws": broken + _broken(broker),
    }


def _broken(broker: Broker) -> int:
    for _ in range(100):  # the clock's thread may be in the middle of moving a message
        try:
            broker.check()
        except InvariantError as error:
            failure = error
            time.sleep(0.01)
        else:
            return 0
    print(failure, file=sys.stderr)
    return 1


class TwoStepStore(MemoryStore):
    """What the atomic steps are there to avoid: the same queue with each step cut in two."""

    def queue(self, name: str, options: QueueOptions, clock: Clock, note: Note | None) -> MemoryQueue:
        return TwoStepQueue(name, options, clock, note)


class TwoStepQueue(MemoryQueue):
    """Takes a permit, then enters; leaves the ready ones, then leases; settles, then gives the permit back."""

    def push(self, message: Any, timeout: float | None, delay: float) -> bool:
        steps = self._steps
        if steps.pool.empty() or delay:
            return super().push(message, timeout, delay)
        permit = steps.pool.get()
        steps.ready.insert(permit or 0, message)
        steps.tokens.put(steps.ready)
        next(steps.accepted)
        return True

    def pull(self, timeout: float | None, kind: Any = Delivery) -> Any:
        if self._steps.tokens.empty():
            return super().pull(timeout, kind)
        delivery = Delivery()
        message = next(self._take_now)
        self._steps.leased[delivery] = message
        delivery.stored, delivery.message = self, message
        delivery.deadline = self._now() + LEASE
        return delivery

    def ack(self, delivery: Delivery) -> None:
        if self._steps.leased.pop(delivery, None) is None:
            raise LeaseLost
        next(self._steps.acked)
        self._steps.pool.put(sys.maxsize)


if __name__ == "__main__":
    outcome = torment(
        int(sys.argv[1]), Overflow(sys.argv[2]), TwoStepStore() if sys.argv[3] == "two_step" else MemoryStore()
    )
    print(json.dumps(outcome), flush=True)
    os._exit(0)  # the clock's thread is of no interest any more
