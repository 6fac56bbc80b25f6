"""A storm of cancellations: coroutines push and pull at a small queue and are cancelled at random moments.

Whoever is cancelled must leave no trace but what its documentation allows: a pull took nothing, or gave it back with
its attempts untouched; a push was not accepted (over a store that does I/O: perhaps). So every delivery is a first
attempt, each message comes once, and at the end the whole capacity is free again and nobody is left in the queue's
lists of those who wait. The storm comes in rounds; at the end of each, before the rest are cancelled, nobody may sleep
while there is something for him: a wake that was lost would show. One loop that is alone can look at any time.
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
CROWD = 40  # coroutines that are under way at the same time, at most
PATIENCE = 20.0  # seconds after which somebody who still waits was forgotten
LEASE = 600.0  # seconds: none runs out
FAULTS = ("lost", "duplicated", "unexpected", "retried", "refused", "stuck", "broken")


class _Books:
    """What became of each message: `sent` was accepted, `maybe` was cancelled over I/O, `never` was cancelled."""

    def __init__(self, certain: bool) -> None:
        self.certain = certain  # whether a push that is cancelled was surely not accepted
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

    def __init__(self, queue: AsyncQueue, books: _Books, seed: str) -> None:
        self.queue, self.books, self.drawn = queue, books, random.Random(seed)
        self.verbs: tuple[Callable[[], Awaitable[None]], ...] = (
            *(self.push, self.push, self.push_many, self.pull, self.pull, self.pull_many, self.enter),
        )

    async def push(self) -> None:
        number = next(self.books.numbers)
        try:
            await self.queue.push(str(number), timeout=self.drawn.choice((None, PATIENCE)))
        except asyncio.CancelledError:
            if not self.books.certain:
                self.books.maybe.append(number)
            raise
        self.books.sent.append(number)

    async def push_many(self) -> None:
        numbers = [next(self.books.numbers) for _ in range(3)]
        try:
            await self.queue.push_many(map(str, numbers))
        except asyncio.CancelledError:
            self.books.maybe += numbers
            raise
        self.books.sent += numbers

    async def pull(self) -> None:
        delivery = await self.queue.pull(self.drawn.choice((None, PATIENCE)))
        self.books.see(delivery)
        await delivery.ack()

    async def pull_many(self) -> None:
        deliveries = await self.queue.pull_many(3)
        for delivery in deliveries:
            self.books.see(delivery)
        await self.queue.ack_many(deliveries)

    async def enter(self) -> None:
        async with self.queue.pull() as message:
            for _ in range(self.drawn.randrange(3)):
                await asyncio.sleep(0)
            self.books.see(message)

    async def look(self) -> None:
        """Let the loop go round until it is quiet, and count it if somebody sleeps then who should not."""
        for _ in range(100):
            if sound_asleep(self.queue.threads):
                return
            await asyncio.sleep(0)
        self.books.forgotten += 1

    async def rage(self, cancellations: int, alone: bool) -> list["asyncio.Task[None]"]:
        """Start coroutines and cancel some, until so many have been cancelled; those who are left."""
        crowd: list[asyncio.Task[None]] = []
        longer = 0.02 if self.books.certain else 0.5
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
        """How many were cancelled; raises what another raised."""
        cancelled = sum(task.cancelled() for task in ended)
        for task in ended:
            if not task.cancelled():
                task.result()
        self.books.cancelled += cancelled
        return cancelled


def sound_asleep(queue: Queue) -> bool:
    """Whether there is nothing for those who wait."""
    stats, store = queue.stats(), queue.store
    return not ((stats.ready and store.pullers) or (stats.held < CAPACITY and store.pushers))  # type: ignore[attr-defined]


class _Round:
    """Event loops, each in a thread of its own, and with more than one a pair of plain threads."""

    def __init__(self, shared: Broker, books: _Books, seed: str, cancellations: int, loops: int) -> None:
        self.shared, self.books, self.queue = shared, books, shared.queue("q", CAPACITY, lease=LEASE)
        self.errors: list[BaseException] = []
        self.refused = 0
        self.stop, self.go = threading.Event(), threading.Event()
        self.raged = threading.Semaphore(0)
        each = -(-cancellations // loops)
        self.raging = [
            self._start(asyncio.run, self._storm(f"{seed}/{loop}", each, loops == 1)) for loop in range(loops)
        ]
        self.calm = [self._start(each) for each in (self._push, self._pull) if loops > 1]

    def _start(self, function: Callable[..., object], *args: Any) -> threading.Thread:
        def run() -> None:
            try:
                function(*args)
            except BaseException as error:
                self.errors.append(error)
                self.raged.release()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    async def _storm(self, seed: str, cancellations: int, alone: bool) -> None:
        async with AsyncBroker(self.shared) as broker:
            storm = _Storm(await broker.queue("q", CAPACITY, lease=LEASE), self.books, seed)
            crowd = await storm.rage(cancellations, alone and self.books.certain)
            self.raged.release()
            while not self.go.is_set():
                await asyncio.sleep(0.0005)
            for task in crowd:
                task.cancel()
            await asyncio.gather(*crowd, return_exceptions=True)
            storm.count(crowd)

    def _push(self) -> None:
        while not self.stop.is_set():
            number = next(self.books.numbers)
            try:
                self.queue.push(str(number), timeout=0.002)
                self.books.sent.append(number)
            except QueueFull:
                self.refused += 1

    def _pull(self) -> None:
        while not self.stop.is_set():
            _take(self.queue, self.books)

    def end(self) -> bool:
        """Wait for the storm to pass; whether nobody slept while there was something for him."""
        for _ in self.raging:
            self.raged.acquire()
        self.stop.set()
        until = time.monotonic() + PATIENCE
        for thread in self.calm:
            thread.join(PATIENCE)
        quiet = False
        while not quiet and time.monotonic() < until:
            time.sleep(0.001)
            quiet = sound_asleep(self.queue)
        self.go.set()
        for thread in self.raging:
            thread.join(PATIENCE)
        while self.queue.stats().held and time.monotonic() < until:
            _take(self.queue, self.books)  # what the store's thread gives back comes a little later
        return quiet and not any(thread.is_alive() for thread in (*self.calm, *self.raging))


def run(
    cancellations: int = 100_000, *, each: int = 500, loops: int = 2, seed: int = 1, url: str = "memory://"
) -> dict[str, Any]:
    """Cancel at least so many coroutines; what was found. It is right if nothing that FAULTS names is there.

    each: cancellations of a round; loops: event loops that share the broker.
    """
    books, started = _Books(certain=url == "memory://"), time.monotonic()
    stalled = refused = 0
    errors: list[BaseException] = []
    with Broker(url) as shared:
        while books.cancelled < cancellations and not (stalled or errors or books.forgotten):
            this = _Round(shared, books, f"{seed}/{books.cancelled}", each, loops)
            stalled += not this.end()
            refused += this.refused
            errors += this.errors
        queue = shared.queue("q", CAPACITY, lease=LEASE)
        store: Any = queue.store
        report = _account(books, queue)
        report["refused"] -= refused
        stuck = books.forgotten + stalled + len(store.pullers) + len(store.pushers)
    return {
        "cancelled": books.cancelled,
        "loops": loops,
        **report,
        "stuck": stuck,
        "broken": [*report["broken"], *map(repr, errors)],
        "seconds": round(time.monotonic() - started, 1),
    }


def _take(queue: Queue, books: _Books) -> None:
    with suppress(QueueEmpty):
        delivery = queue.pull(0.002)
        books.see(delivery)
        delivery.ack()


def _account(books: _Books, queue: Queue) -> dict[str, Any]:
    seen, sent = Counter(books.seen), set(books.sent)
    broken = []
    refused = queue.stats().refused
    try:
        queue.store.check()
        queue.push_many([b"fill"] * CAPACITY, timeout=0)
        queue.ack_many(queue.pull_many(CAPACITY + 1, 0))
        queue.store.check()
    except (InvariantError, QueueEmpty, QueueFull) as error:
        broken.append(repr(error))
    return {
        "messages": len(seen),
        "lost": len(sent - seen.keys()),
        "duplicated": sum(times > 1 for times in seen.values()),
        "unexpected": len(seen.keys() - sent - set(books.maybe)),
        "retried": books.retried,
        "refused": refused,
        "broken": broken,
    }


def run_over(store: str, cancellations: int, **options: Any) -> dict[str, Any]:
    """`run` on an empty store of that name in the registry; raises Unavailable."""
    with fresh_urls(store) as fresh:
        return run(cancellations, **options, url=fresh())
