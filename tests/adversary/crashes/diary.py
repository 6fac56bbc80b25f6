"""Workers that call random verbs and write down what each has promised them, and what such diaries prove.

Each worker writes to a diary of its own, line by line, so the diary never says more than the broker did. A kill may cut
its last line short; that line is not counted, as what it announces had not begun.
"""

import os
import random
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from lightbroker import Broker, Delivery, LeaseLost, Queue, QueueEmpty, QueueFull, Retry

LEASE = 0.05  # seconds, so that some run out
CAPACITY = 500


def open_queue(broker: Broker) -> Queue:
    """Declare the queue, the same in every process."""
    return broker.queue("q", capacity=CAPACITY, lease=LEASE, retry=Retry(max_attempts=10**6, base=0.0))


def drain(queue: Queue) -> list[tuple[str, float]]:
    """Ack all that is left; the ids, and when they were asked for."""
    left = []
    while queue.stats().held:
        asked = time.monotonic()
        with suppress(QueueEmpty):
            deliveries = queue.pull_many(100, timeout=2 * LEASE)
            left += [(delivery.message.id, asked) for delivery in deliveries]
            with suppress(LeaseLost):  # this machine stalled; they come again
                queue.ack_many(deliveries)
    return left


@dataclass
class Account:
    """What the diary tells of each id: when a push returned, when a pull was asked for, when an ack first returned."""

    pushed: dict[str, float] = field(default_factory=dict)
    pulled: list[tuple[str, float]] = field(default_factory=list)
    settling: set[str] = field(default_factory=set)
    acked: dict[str, float] = field(default_factory=dict)

    def read(self, diary: str) -> None:
        """Take in the diary of one worker, without what stands behind its last line break."""
        for line in diary.split("\n")[:-1]:
            verb, moment, *ids = line.split()
            if verb == "pushed":
                self.pushed.update(dict.fromkeys(ids, float(moment)))
            elif verb == "pulled":
                self.pulled += [(id, float(moment)) for id in ids]
            elif verb == "acking":
                self.settling.update(ids)
            else:
                for id in ids:
                    self.acked[id] = min(float(moment), self.acked.get(id, float("inf")))

    def judge(
        self, left: list[tuple[str, float]], excused: Callable[[float], bool] = lambda moment: False
    ) -> dict[str, int]:
        """Compare with what was `left` in the queue, and when it was asked for; an ack that was cut off may count.

        excused: whether what was promised at a moment may have been forgotten.
        """
        found = {id for id, _ in left}
        lost = self.pushed.keys() - self.acked.keys() - self.settling - found
        late = [id for id, asked in (*self.pulled, *left) if asked > self.acked.get(id, float("inf"))]
        excuses = sum(excused(self.pushed[id]) for id in lost) + sum(excused(self.acked[id]) for id in late)
        return {
            "pushed": len(self.pushed),
            "acked": len(self.acked),
            "recovered": len(found),
            "lost": sum(not excused(self.pushed[id]) for id in lost),
            "returned": sum(not excused(self.acked[id]) for id in late),
            "excused": excuses,
        }


class Worker:
    """Calls random verbs until it is killed."""

    def __init__(self, queue: Queue, diary: int, rng: random.Random) -> None:
        self.queue, self.diary, self.rng = queue, diary, rng
        self.held: list[Delivery] = []

    def note(self, verb: str, moment: float, ids: Iterable[str | None]) -> None:
        """Write one line; it is in the file, whatever is killed, when this returns."""
        os.write(self.diary, f"{verb} {moment} {' '.join(map(str, ids))}\n".encode())

    def work(self) -> None:
        """One verb after the other."""
        verbs = (self.push, self.push_many, self.pull, self.pull, self.ack, self.ack_many, self.give_back)
        while True:
            with suppress(QueueEmpty, QueueFull, LeaseLost):
                self.rng.choice(verbs)()

    def push(self) -> None:
        id = self.queue.push(self._body(), timeout=0)
        self.note("pushed", time.monotonic(), [id])

    def push_many(self) -> None:
        bodies = [self._body() for _ in range(self.rng.randint(1, 30))]
        try:
            ids: Iterable[str | None] = self.queue.push_many(bodies, timeout=0, delay=self.rng.choice((0.0, 0.01)))
        except QueueFull as error:
            ids = error.accepted
        self.note("pushed", time.monotonic(), ids)

    def _body(self) -> bytes:
        return bytes(self.rng.choice((10, 100, 1000, 10_000)))

    def pull(self) -> None:
        asked = time.monotonic()
        deliveries = self.queue.pull_many(self.rng.randint(1, 30), timeout=0)
        self.note("pulled", asked, [delivery.message.id for delivery in deliveries])
        self.held += deliveries

    def ack(self) -> None:
        if self.held:
            delivery = self.held.pop()
            self.note("acking", 0.0, [delivery.message.id])
            delivery.ack()
            self.note("acked", time.monotonic(), [delivery.message.id])

    def ack_many(self) -> None:
        deliveries, self.held = self.held, []
        self.note("acking", 0.0, [delivery.message.id for delivery in deliveries])
        self.queue.ack_many(deliveries)
        self.note("acked", time.monotonic(), [delivery.message.id for delivery in deliveries])

    def give_back(self) -> None:
        if self.held:
            delivery = self.held.pop(0)
            self.rng.choice((delivery.release, delivery.nack, lambda: delivery.extend(1.0)))()
