"""A storm of cancellations: coroutines push to and pull from a small queue, and are cancelled at random moments.

A cancelled call may leave only what its documentation allows. A pull took no message, or gave it back with its attempts
untouched. A push was not accepted; over a store that does I/O, it may have been. So every delivery is a first attempt,
and each message is delivered once. At the end the whole capacity is free again, and the queue's lists of waiters are
empty.

The storm comes in rounds. At the end of a round, before the remaining coroutines are cancelled, no waiter may sleep
while the queue has a message or room for it. A lost wake would show there. A single event loop is also checked for
that in the middle of a round.
"""

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from typing import Any

from lightbroker import Broker, InvariantError, Queue, QueueEmpty, QueueFull
from lightbroker.aio import AsyncBroker, AsyncQueue
from tests.contract.stores import fresh_urls

CAPACITY = 5
CROWD = 40  # coroutines that run at the same time, at most
PATIENCE = 20.0  # seconds after which a coroutine that still waits was forgotten
LEASE = 600.0  # seconds: none runs out
FAULTS = ("lost", "duplicated", "unexpected", "retried", "refused", "stuck", "broken")


class _Record:
    """What became of each message.

    Attributes:
        certain: Whether a push that is cancelled was surely not accepted.
        sent: Numbers of the messages that were accepted.
        maybe: Numbers of the messages whose push was cancelled while the store may have accepted it.
        seen: Numbers of the messages that were delivered, in order.
        retried: Deliveries that were not the first attempt.
        cancelled: Coroutines that were cancelled.
        forgotten: How often a waiter slept while there was something for it.
    """

    def __init__(self, certain: bool) -> None:
        self.certain = certain
        self.numbers = count()
        self.sent: list[int] = []
        self.maybe: list[int] = []
        self.seen: list[int] = []
        self.retried = 0
        self.cancelled = 0
        self.forgotten = 0

    def see(self, delivery_or_message: Any) -> None:
        message = getattr(delivery_or_message, "message", delivery_or_message)
        self.seen.append(int(message.text))
        self.retried += message.attempts != 1


class _Storm:
    """What one event loop does to the queue."""

    def __init__(self, queue: AsyncQueue, record: _Record, seed: str) -> None:
        self.queue, self.record, self.drawn = queue, record, random.Random(seed)
        self.verbs: tuple[Callable[[], Awaitable[None]], ...] = (
            *(self.push, self.push, self.push_many, self.pull, self.pull, self.pull_many, self.enter),
        )

    async def push(self) -> None:
        number = next(self.record.numbers)
        try:
            await self.queue.push(str(number), timeout=self.drawn.choice((None, PATIENCE)))
        except asyncio.CancelledError:
            if not self.record.certain:
                self.record.maybe.append(number)
            raise
        self.record.sent.append(number)

    async def push_many(self) -> None:
        numbers = [next(self.record.numbers) for _ in range(3)]
        try:
            await self.queue.push_many(map(str, numbers))
        except asyncio.CancelledError:
            self.record.maybe += numbers
            raise
        self.record.sent += numbers

    async def pull(self) -> None:
        delivery = await self.queue.pull(self.drawn.choice((None, PATIENCE)))
        self.record.see(delivery)
        await delivery.ack()

    async def pull_many(self) -> None:
        deliveries = await self.queue.pull_many(3)
        for delivery in deliveries:
            self.record.see(delivery)
        await self.queue.ack_many(deliveries)

    async def enter(self) -> None:
        async with self.queue.pull() as message:
            for _ in range(self.drawn.randrange(3)):
                await asyncio.sleep(0)
            self.record.see(message)

    async def look(self) -> None:
        """Let the loop run until no waiter sleeps in vain. Count it if one still does after many rounds of the loop."""
        for _ in range(100):
            if none_sleeps_in_vain(self.queue._sync_queue):
                return
            await asyncio.sleep(0)
        self.record.forgotten += 1

    async def cancel_some(self, cancellations: int, alone: bool) -> list["asyncio.Task[None]"]:
        """Start coroutines and cancel some of them, until `cancellations` were cancelled; return the rest."""
        crowd: list[asyncio.Task[None]] = []
        longer = 0.02 if self.record.certain else 0.5
        while cancellations > 0:
            crowd.append(asyncio.ensure_future(self.drawn.choice(self.verbs)()))
            if self.drawn.random() < 0.4:
                await asyncio.sleep(0.001 if self.drawn.random() < longer else 0)
            if len(crowd) > CROWD:
                victims = crowd[: CROWD // 2]
            else:
                victims = [self.drawn.choice(crowd)] if self.drawn.random() < 0.5 else []
            for victim in victims:
                victim.cancel()
            if alone and self.drawn.random() < 0.1:
                await self.look()
            ended = [task for task in crowd if task.done()]
            cancellations -= self.count(ended)
            crowd = [task for task in crowd if not task.done()]
        return crowd

    def count(self, ended: list["asyncio.Task[None]"]) -> int:
        """Return how many of the ended tasks were cancelled. Raise what another has raised."""
        cancelled = sum(task.cancelled() for task in ended)
        for task in ended:
            if not task.cancelled():
                task.result()
        self.record.cancelled += cancelled
        return cancelled


def none_sleeps_in_vain(queue: Queue) -> bool:
    """Return whether there is nothing for the waiters: no ready message for a puller, and no room for a pusher."""
    stats, store = queue.stats(), queue.stored
    return not ((stats.ready and store.pullers) or (stats.held < CAPACITY and store.pushers))  # type: ignore[attr-defined]


class _Round:
    """One round: event loops, each in a thread of its own. If there is more than one, two plain threads take part."""

    def __init__(self, shared: Broker, record: _Record, seed: str, cancellations: int, loops: int) -> None:
        self.shared, self.record, self.queue = shared, record, shared.queue("q", CAPACITY, lease=LEASE)
        self.errors: list[BaseException] = []
        self.refused = 0
        self.stop, self.go = threading.Event(), threading.Event()
        self.finished = threading.Semaphore(0)
        each = -(-cancellations // loops)
        self.loop_threads = [
            self._start(asyncio.run, self._storm(f"{seed}/{loop}", each, loops == 1)) for loop in range(loops)
        ]
        self.plain_threads = [self._start(each) for each in (self._push, self._pull) if loops > 1]

    def _start(self, function: Callable[..., object], *args: Any) -> threading.Thread:
        def run() -> None:
            try:
                function(*args)
            except BaseException as error:
                self.errors.append(error)
                self.finished.release()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    async def _storm(self, seed: str, cancellations: int, alone: bool) -> None:
        async with AsyncBroker(self.shared) as broker:
            storm = _Storm(await broker.queue("q", CAPACITY, lease=LEASE), self.record, seed)
            crowd = await storm.cancel_some(cancellations, alone and self.record.certain)
            self.finished.release()
            while not self.go.is_set():
                await asyncio.sleep(0.0005)
            for task in crowd:
                task.cancel()
            await asyncio.gather(*crowd, return_exceptions=True)
            storm.count(crowd)

    def _push(self) -> None:
        while not self.stop.is_set():
            number = next(self.record.numbers)
            try:
                self.queue.push(str(number), timeout=0.002)
                self.record.sent.append(number)
            except QueueFull:
                self.refused += 1

    def _pull(self) -> None:
        while not self.stop.is_set():
            _take(self.queue, self.record)

    def end(self) -> bool:
        """Wait for the end of the round; return whether no waiter slept while there was something for it."""
        for _ in self.loop_threads:
            self.finished.acquire()
        self.stop.set()
        until = time.monotonic() + PATIENCE
        for thread in self.plain_threads:
            thread.join(PATIENCE)
        quiet = False
        while not quiet and time.monotonic() < until:
            time.sleep(0.001)
            quiet = none_sleeps_in_vain(self.queue)
        self.go.set()
        for thread in self.loop_threads:
            thread.join(PATIENCE)
        while self.queue.stats().held and time.monotonic() < until:
            _take(self.queue, self.record)  # what a thread of the store gives back comes a little later
        return quiet and not any(thread.is_alive() for thread in (*self.plain_threads, *self.loop_threads))


def run(
    cancellations: int = 100_000, *, each: int = 500, loops: int = 2, seed: int = 1, url: str = "memory://"
) -> dict[str, Any]:
    """Cancel coroutines at random and account for every message.

    Args:
        cancellations: How many coroutines to cancel, at least.
        each: How many of them in one round.
        loops: Event loops that share the broker.
        seed: Of what is drawn at random.
        url: Of an empty store.

    Returns:
        What was found. All is well if every entry that FAULTS names is zero or empty.
    """
    record, started = _Record(certain=url == "memory://"), time.monotonic()
    stalled = refused = 0
    errors: list[BaseException] = []
    with Broker(url) as shared:
        while record.cancelled < cancellations and not (stalled or errors or record.forgotten):
            this = _Round(shared, record, f"{seed}/{record.cancelled}", each, loops)
            stalled += not this.end()
            refused += this.refused
            errors += this.errors
        queue = shared.queue("q", CAPACITY, lease=LEASE)
        store: Any = queue.stored
        report = _account(record, queue)
        report["refused"] -= refused
        stuck = record.forgotten + stalled + len(store.pullers) + len(store.pushers)
    return {
        "cancelled": record.cancelled,
        "loops": loops,
        **report,
        "stuck": stuck,
        "broken": [*report["broken"], *map(repr, errors)],
        "seconds": round(time.monotonic() - started, 1),
    }


def _take(queue: Queue, record: _Record) -> None:
    with suppress(QueueEmpty):
        delivery = queue.pull(0.002)
        record.see(delivery)
        delivery.ack()


def _account(record: _Record, queue: Queue) -> dict[str, Any]:
    seen, sent = Counter(record.seen), set(record.sent)
    broken = []
    refused = queue.stats().refused
    try:
        queue.stored.check()
        queue.push_many([b"fill"] * CAPACITY, timeout=0)
        queue.ack_many(queue.pull_many(CAPACITY + 1, 0))
        queue.stored.check()
    except (InvariantError, QueueEmpty, QueueFull) as error:
        broken.append(repr(error))
    return {
        "messages": len(seen),
        "lost": len(sent - seen.keys()),
        "duplicated": sum(times > 1 for times in seen.values()),
        "unexpected": len(seen.keys() - sent - set(record.maybe)),
        "retried": record.retried,
        "refused": refused,
        "broken": broken,
    }


def run_over(store: str, cancellations: int, **options: Any) -> dict[str, Any]:
    """Call `run` on an empty store of that name in the registry of tests. Raises Unavailable."""
    with fresh_urls(store) as fresh:
        return run(cancellations, **options, url=fresh())
