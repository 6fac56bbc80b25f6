"""SIGKILL at any moment: processes that push, pull and settle over one SQLite file are killed while they work.

Each worker writes to a diary of its own, line by line, what a verb has promised it, so the diary never says more than
the broker did. A kill may cut its last line short; that line is not counted, as what it announces had not begun. After
each round of kills the law must hold and the file be sound; at the end, what is left is drained: every acknowledged
push is acked or there, and nothing was delivered after its ack.

`python -m tests.adversary.crash_sqlite URL DIARY SEED` is a worker.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightbroker import Broker, Delivery, InvariantError, LeaseLost, Queue, QueueEmpty, QueueFull, Retry
from lightbroker.storage import sqlite_file

ROOT = Path(__file__).parents[2]
WORKERS = 2
LEASE = 0.05  # seconds, so that some run out
CAPACITY = 500
LONGEST = 0.06  # seconds from the start of the work to the kill
CHECKED = 5  # rounds; between two checks nobody but the workers opens the file


def run(kills: int, *, seed: int = 1) -> dict[str, Any]:
    """Kill `kills` workers, half of them at synchronous=full, and count.

    lost: acknowledged and nowhere to be found; returned: delivered after the ack; broken: checks of the law or of the
    file that failed; the rest says how much was at stake.
    """
    rng = random.Random(seed)
    totals: dict[str, Any] = {
        "kills": 0,
        "pushed": 0,
        "acked": 0,
        "recovered": 0,
        "lost": 0,
        "returned": 0,
        "broken": 0,
    }
    for synchronous, share in (("normal", kills - kills // 2), ("full", kills // 2)):
        with tempfile.TemporaryDirectory() as folder:
            counts = _kill(share, Path(folder), synchronous, rng)
        for name, count in counts.items():
            totals[name] += count
    return totals


def _kill(kills: int, folder: Path, synchronous: str, rng: random.Random) -> dict[str, int]:
    path = folder / "crash.db"
    url = f"sqlite:///{path}?synchronous={synchronous}"
    killed = broken = 0
    while killed < kills:
        command = sys.executable, "-m", "tests.adversary.crash_sqlite", url
        workers = [
            subprocess.Popen(
                (*command, str(folder / f"{number}.diary"), str(rng.random())),
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(killed, min(killed + WORKERS, kills))
        ]
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            time.sleep(rng.uniform(0.0, LONGEST))
            worker.kill()
            with worker:
                assert worker.wait() == -signal.SIGKILL
            killed += 1
        if killed % (CHECKED * WORKERS) < WORKERS:
            broken += not _sound(path, url)
    broken += not _sound(path, url)
    account = Account()
    for diary in folder.glob("*.diary"):
        account.read(diary.read_text())
    with Broker(url) as broker:
        left = _drain(_queue(broker))
    return {"kills": killed, **account.judge(left), "broken": broken}


def _sound(path: Path, url: str) -> bool:
    with Broker(url) as broker:
        _queue(broker)
        try:
            broker.check()
        except InvariantError as error:
            print(error, file=sys.stderr)
            return False
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _queue(broker: Broker) -> Queue:
    return broker.queue("q", capacity=CAPACITY, lease=LEASE, retry=Retry(max_attempts=10**6, base=0.0))


def _drain(queue: Queue) -> list[tuple[str, float]]:
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
    """What the diary tells of each id: that a push returned, when a pull was asked for, when an ack returned."""

    pushed: set[str] = field(default_factory=set)
    pulled: list[tuple[str, float]] = field(default_factory=list)
    settling: set[str] = field(default_factory=set)
    acked: dict[str, float] = field(default_factory=dict)

    def read(self, diary: str) -> None:
        """Take in the diary of one worker, without what stands behind its last line break."""
        for line in diary.split("\n")[:-1]:
            verb, moment, *ids = line.split()
            if verb == "pushed":
                self.pushed.update(ids)
            elif verb == "pulled":
                self.pulled += [(id, float(moment)) for id in ids]
            elif verb == "acking":
                self.settling.update(ids)
            else:
                self.acked.update(dict.fromkeys(ids, float(moment)))

    def judge(self, left: list[tuple[str, float]]) -> dict[str, int]:
        """Compare with what was `left` in the queue, and when it was asked for; an ack that was cut off may count."""
        found = {id for id, _ in left}
        late = [id for id, asked in (*self.pulled, *left) if asked > self.acked.get(id, float("inf"))]
        return {
            "pushed": len(self.pushed),
            "acked": len(self.acked),
            "recovered": len(found),
            "lost": len(self.pushed - self.acked.keys() - self.settling - found),
            "returned": len(late),
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
        self.note("pushed", 0.0, [id])

    def push_many(self) -> None:
        bodies = [self._body() for _ in range(self.rng.randint(1, 30))]
        try:
            ids: Iterable[str | None] = self.queue.push_many(bodies, timeout=0, delay=self.rng.choice((0.0, 0.01)))
        except QueueFull as error:
            ids = error.accepted
        self.note("pushed", 0.0, ids)

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


def _work(url: str, diary: str, seed: str) -> None:
    rng = random.Random(seed)
    sqlite_file._CHECKPOINT = rng.choice((1, 30, 4000))  # pages, so that some are killed while they copy the log
    queue = _queue(Broker(url))
    file = os.open(diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    print("ready", flush=True)
    Worker(queue, file, rng).work()


if __name__ == "__main__":
    _work(*sys.argv[1:])
