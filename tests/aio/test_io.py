"""Stores that do I/O, for coroutines: the event loop goes on meanwhile, and a call that has begun can be cancelled."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from math import inf
from pathlib import Path
from typing import Any

import pytest

from lightbroker import Broker, LeaseLost, Overflow, QueueClosed, QueueFull, StoreError
from lightbroker.aio import AsyncBroker, AsyncQueue
from tests.support import MOMENT, PATIENCE, counts


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "q.db"


@contextmanager
def busy(path: Path) -> Iterator[None]:
    """Hold the write lock of the file, as another program does during a slow commit."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


@asynccontextmanager
async def opened(path: Path, capacity: int | None = None) -> AsyncIterator[AsyncQueue]:
    async with AsyncBroker(f"sqlite:///{path}") as broker:
        queue = await broker.queue("q", capacity=capacity)
        yield queue
        await broker.check()


async def turns(seconds: float = MOMENT) -> int:
    """Let other coroutines run for so long; how often the loop went round."""
    until = asyncio.get_running_loop().time() + seconds
    number = 0
    while asyncio.get_running_loop().time() < until or number <= 10:
        await asyncio.sleep(0)
        number += 1
    return number


async def test_the_loop_goes_on_while_the_store_waits_for_another_program(path: Path) -> None:
    async with opened(path) as queue:
        with busy(path):
            push = asyncio.create_task(queue.push("a"))
            assert await turns() > 10
            assert not push.done()
        assert await push
        delivery = await queue.pull()
        with busy(path):
            ack = asyncio.ensure_future(delivery.ack())
            assert await turns() > 10
            assert not ack.done()
        await ack
        assert counts(queue._sync_queue) == {"accepted": 1, "acked": 1}


async def test_coroutines_that_wait_cost_no_thread_and_each_is_woken(path: Path) -> None:
    before = threading.active_count()  # on a busy machine threads of other tests are still ending
    async with opened(path) as queue:
        served: list[int] = []

        async def wait(number: int) -> None:
            async with queue.pull():
                served.append(number)

        tasks = [asyncio.create_task(wait(number)) for number in range(30)]
        while len(queue._sync_queue.stored.pullers) < 30:  # type: ignore[attr-defined]
            await asyncio.sleep(0.001)
        assert threading.active_count() < before + 10
        for _ in range(30):
            await queue.push("a")
            await asyncio.sleep(0.002)
        await asyncio.gather(*tasks)
        assert sorted(served) == list(range(30))


async def test_what_another_program_pushes_wakes_a_coroutine(path: Path) -> None:
    async with opened(path) as queue:
        waiting = asyncio.create_task(queue.pull())
        await asyncio.sleep(MOMENT)
        with Broker(f"sqlite:///{path}") as other:
            other.queue("q", capacity=None).push("from elsewhere")
            assert (await waiting).message.text == "from elsewhere"


async def test_a_full_queue_suspends_the_coroutine_and_refuses_nothing(path: Path) -> None:
    async with opened(path, capacity=1) as queue:
        await queue.push("a")
        push = asyncio.create_task(queue.push("b"))
        assert await turns() > 10
        assert counts(queue._sync_queue) == {"ready": 1, "accepted": 1}
        async with queue.pull():
            pass
        assert await push


async def test_a_pull_that_is_cancelled_in_the_middle_gives_back_what_it_leases(path: Path) -> None:
    async with opened(path) as queue:
        await queue.push("a")
        with busy(path):
            pull = asyncio.create_task(queue.pull())
            await asyncio.sleep(MOMENT)
            pull.cancel()
            with pytest.raises(asyncio.CancelledError):
                await pull
        delivery = await queue.pull(PATIENCE)
        assert delivery.message.attempts == 1
        await delivery.ack()


async def test_a_pull_that_is_cancelled_before_its_turn_never_begins(path: Path) -> None:
    async with opened(path) as queue:
        await queue.push("a")
        with busy(path):
            first, second = asyncio.create_task(queue.push("b")), asyncio.create_task(queue.pull())
            await asyncio.sleep(MOMENT)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
        await first
        assert counts(queue._sync_queue) == {"ready": 2, "accepted": 2}


async def test_a_pull_that_is_cancelled_when_it_has_a_message_gives_it_back(path: Path) -> None:
    async with opened(path) as queue:
        await queue.push("a")
        pull = asyncio.create_task(queue.pull())
        await asyncio.sleep(0)
        # This blocks the event loop, so that the coroutine does not hear of its message before it is cancelled.
        while not counts(queue._sync_queue).get("leased"):
            pass
        pull.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pull
        assert (await queue.pull(PATIENCE)).message.attempts == 1


@pytest.mark.parametrize("begun", [True, False])
async def test_an_ack_that_is_cancelled_is_done_all_the_same(path: Path, begun: bool) -> None:
    async with opened(path) as queue:
        await queue.push("a")
        delivery = await queue.pull()
        with busy(path):
            before = None if begun else asyncio.create_task(queue.push("b"))
            await asyncio.sleep(MOMENT)
            ack = asyncio.ensure_future(delivery.ack())
            await asyncio.sleep(MOMENT)
            ack.cancel()
            with pytest.raises(asyncio.CancelledError):
                await ack
        if before is not None:
            await before
        await queue.stats()  # in the same thread, after the ack
        assert counts(queue._sync_queue)["acked"] == 1


async def test_a_policy_that_does_not_wait_does_not_wait(path: Path) -> None:
    async with AsyncBroker(f"sqlite:///{path}") as broker:
        queue = await broker.queue("q", capacity=1, overflow=Overflow.REJECT)
        await queue.push("a")
        with pytest.raises(QueueFull):
            await asyncio.wait_for(queue.push("b"), PATIENCE)
        assert counts(queue._sync_queue) == {"ready": 1, "accepted": 1, "refused": 1}


async def test_an_extended_lease_tells_its_new_deadline(path: Path) -> None:
    async with opened(path) as queue:
        await queue.push("a")
        delivery = await queue.pull()
        before = delivery.deadline
        await delivery.extend(1000.0)
        assert delivery.deadline > before + 900.0


async def test_closing_waits_for_calls_that_have_begun(path: Path) -> None:
    broker = AsyncBroker(f"sqlite:///{path}")
    queue = await broker.queue("q")
    waiting = asyncio.create_task(queue.pull())
    await asyncio.sleep(MOMENT)
    with busy(path):
        push = asyncio.create_task(queue.push("a"))
        await asyncio.sleep(MOMENT)
        closing = asyncio.create_task(broker.close(drain=False))
        assert await turns() > 10
        assert not closing.done()
    assert await push
    await closing
    delivered = await asyncio.gather(waiting, return_exceptions=True)
    assert isinstance(delivered[0], QueueClosed) or delivered[0].message.text == "a"  # type: ignore[union-attr]
    with pytest.raises(QueueClosed):
        await queue.push("b")


async def test_two_may_close_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first_is_there, second_has_closed = threading.Event(), threading.Event()

    def close(self: Broker, drain: bool, timeout: float | None, close: Any = Broker.close) -> None:
        if not first_is_there.is_set():
            first_is_there.set()
            assert second_has_closed.wait(PATIENCE)
        close(self, drain, timeout)

    monkeypatch.setattr(Broker, "close", close)
    broker = AsyncBroker(f"sqlite:///{path}")
    await broker.push("q", "a")
    first = asyncio.create_task(broker.close())
    assert await asyncio.to_thread(first_is_there.wait, PATIENCE)
    await broker.close()
    assert broker.threads.state == "closed"
    second_has_closed.set()
    await first


async def test_a_close_that_was_cancelled_can_be_done_again(path: Path) -> None:
    broker = AsyncBroker(f"sqlite:///{path}")
    await broker.push("q", "a")
    go_on = threading.Event()
    broker._lazy.executor.submit(go_on.wait, PATIENCE)
    closing = asyncio.create_task(broker._finish(True, inf))  # the rest of `close` would wait for the executor too
    while not broker._lazy.executor._pool._shutdown:
        await asyncio.sleep(0.001)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert broker.threads.state == "open"
    go_on.set()
    await broker.close()
    assert broker.threads.state == "closed"


async def test_an_ack_of_what_another_store_delivered_is_late(path: Path) -> None:
    async with opened(path) as queue, AsyncBroker() as memory:
        for other in (queue, await memory.queue("q")):
            await other.push("a")
        own, foreign = await queue.pull(), await memory.pull("q")
        with pytest.raises(LeaseLost, match="1 of 2"):
            await queue.ack_many([foreign, own])
        assert counts(queue._sync_queue)["acked"] == 1
        assert (await memory.stats()).queues["q"].leased == 1


async def test_a_file_that_cannot_be_used_says_so_where_it_is_awaited(tmp_path: Path) -> None:
    broker = AsyncBroker(f"sqlite:///{tmp_path}/missing/q.db")
    with pytest.raises(StoreError, match="cannot be opened"):
        await broker.push("q", "a")
    await broker.close()
