"""Pools of coroutines: concurrency, failures, leases, and a shutdown that loses no message and leaves no task."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lightbroker import Broker, ManualClock, Message, QueueClosed, Retry, StoreError
from lightbroker.aio import AsyncBroker, AsyncDelivery, AsyncQueue
from tests.support import MOMENT, PATIENCE, Call, counts


async def until(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), PATIENCE)


async def test_handlers_run_together_and_each_message_is_acked() -> None:
    async with AsyncBroker() as broker:
        queue = await broker.queue("q")
        running = most = 0
        everybody = asyncio.Event()

        async def handle(message: Message) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            if running == 20:
                everybody.set()
            await everybody.wait()
            running -= 1

        await queue.push_many(map(str, range(40)))
        async with broker.workers("q", handle, concurrency=20):
            await until(everybody)
            await broker.close()
        assert most == 20
        assert counts(queue._sync_queue) == {"accepted": 40, "acked": 40}


async def test_a_failure_is_nacked_with_its_traceback_and_tried_again() -> None:
    async with AsyncBroker() as broker:
        queue = await broker.queue("q", retry=Retry(max_attempts=2, base=0.0))

        async def handle(message: Message) -> None:
            raise ValueError(f"attempt {message.attempts}")

        await queue.push("a")
        async with broker.workers("q", handle):
            await broker.close()
        assert counts(queue._sync_queue) == {"accepted": 1, "dead": 1, "retried": 1}
        [letter] = queue._sync_queue.dead_letters
        assert letter.error == "ValueError: attempt 2"
        assert 'raise ValueError(f"attempt {message.attempts}")' in letter.traceback


class Stop(BaseException):
    """What is no `Exception`, as some libraries raise to end what runs."""


def raising(error: BaseException, done: asyncio.Event) -> Callable[[Message], Awaitable[None]]:
    """A handler that raises on "bad", and sets the event on anything else."""

    async def handle(message: Message) -> None:
        if message.text == "bad":
            raise error
        done.set()

    return handle


@pytest.mark.parametrize("error", [SystemExit(1), Stop(), asyncio.CancelledError()], ids=repr)
async def test_a_handler_cannot_end_its_worker(error: BaseException) -> None:
    if isinstance(error, asyncio.CancelledError) and not hasattr(asyncio.Task, "cancelling"):
        pytest.skip("Python 3.10 cannot tell who was cancelled, and ends the worker")
    async with AsyncBroker() as broker:
        queue = await broker.queue("q", retry=Retry(max_attempts=1))
        done = asyncio.Event()
        await queue.push_many(["bad", "good"])
        async with broker.workers("q", raising(error, done), concurrency=1):
            await until(done)
        assert counts(queue._sync_queue) == {"accepted": 2, "dead": 1, "acked": 1}


@pytest.mark.parametrize(
    "error", [StoreError("away"), ZeroDivisionError(), SystemExit(1), Stop(), asyncio.CancelledError()], ids=repr
)
async def test_no_error_in_settling_ends_a_worker_and_the_message_comes_again(
    error: BaseException, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(error, asyncio.CancelledError) and not hasattr(asyncio.Task, "cancelling"):
        pytest.skip("Python 3.10 cannot tell who was cancelled, and ends the worker")
    errors = [error]

    def nack(self: AsyncDelivery, failure: BaseException, nack: Any = AsyncDelivery.nack) -> Awaitable[None]:
        if errors:
            raise errors.pop()
        return nack(self, failure)  # type: ignore[no-any-return]

    monkeypatch.setattr(AsyncDelivery, "nack", nack)
    monkeypatch.setattr("lightbroker.aio.worker.AGAIN", 0.0)
    async with AsyncBroker(clock=clock) as broker:
        queue = await broker.queue("q", lease=30.0, retry=Retry(max_attempts=2, base=0.0))
        done = asyncio.Event()
        await queue.push_many(["bad", "good"])
        async with broker.workers("q", raising(ValueError(), done), concurrency=1):
            await until(done)
            assert counts(queue._sync_queue) == {"accepted": 2, "acked": 1, "leased": 1}
            clock.advance(30.0)
            await broker.close()
        assert counts(queue._sync_queue) == {"accepted": 2, "acked": 1, "retried": 1, "dead": 1}


async def test_a_log_that_fails_ends_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no space left for the log")

    monkeypatch.setattr("lightbroker.aio.worker.AGAIN", 0.0)
    monkeypatch.setattr("lightbroker.aio.worker.tell_failure", fail)
    monkeypatch.setattr("lightbroker.aio.worker.log.warning", fail)
    async with AsyncBroker() as broker:
        queue = await broker.queue("q")
        done = asyncio.Event()
        await queue.push_many(["bad", "good"])
        async with broker.workers("q", raising(ValueError(), done), concurrency=1):
            await until(done)


async def test_a_worker_that_is_cancelled_ends_even_if_it_cannot_give_its_message_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def release(self: AsyncDelivery) -> Awaitable[None]:
        raise StoreError("away")

    monkeypatch.setattr(AsyncDelivery, "release", release)
    async with AsyncBroker() as broker:
        begun = asyncio.Event()

        async def handle(message: Message) -> None:
            begun.set()
            await asyncio.sleep(PATIENCE)

        await broker.push("q", "a")
        pool = await broker.workers("q", handle, concurrency=1).start()
        await until(begun)
        [task] = pool._tasks
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, PATIENCE)


async def test_a_store_that_is_away_keeps_no_broker_from_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stats(self: AsyncQueue) -> None:
        raise StoreError("away")

    def release(self: AsyncDelivery) -> Awaitable[None]:
        raise StoreError("away")

    monkeypatch.setattr(AsyncQueue, "stats", stats)
    monkeypatch.setattr(AsyncDelivery, "release", release)
    broker = AsyncBroker()
    begun = asyncio.Event()

    async def handle(message: Message) -> None:
        begun.set()
        await asyncio.sleep(PATIENCE)

    await broker.push("q", "a")
    pool = await broker.workers("q", handle, concurrency=2).start()
    await until(begun)
    await broker.close(timeout=0.01)
    assert broker.threads.state == "closed"
    assert all(task.done() for task in pool._tasks)


async def test_a_handler_that_is_not_async_fails_its_message() -> None:
    async with AsyncBroker() as broker:
        queue = await broker.queue("q", retry=Retry(max_attempts=1))
        await queue.push("a")
        async with broker.workers("q", lambda message: None):  # type: ignore[arg-type, return-value]
            await broker.close()
        [letter] = queue._sync_queue.dead_letters
        assert "await" in letter.error


@pytest.mark.parametrize("store", ["memory://", "sqlite:///{}/q.db"])
async def test_a_long_handler_keeps_its_lease(store: str, tmp_path: object) -> None:
    clock = ManualClock()
    async with AsyncBroker(store.format(tmp_path), clock=clock) as broker:
        queue = await broker.queue("q", lease=30.0)
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def handle(message: Message) -> None:
            begun.set()
            await go_on.wait()

        await queue.push("a")
        async with broker.workers("q", handle, concurrency=2):
            await until(begun)
            for _ in range(10):
                clock.advance(10.0)
            go_on.set()
        assert counts(queue._sync_queue) == {"accepted": 1, "acked": 1}


async def test_a_lease_that_was_lost_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with AsyncBroker() as broker:
        queue = await broker.queue("q")
        begun = asyncio.Event()

        async def handle(message: Message) -> None:
            begun.set()
            queue._sync_queue.stored._steps.leased.clear()  # type: ignore[attr-defined]

        await queue.push("a")
        with caplog.at_level(logging.WARNING):
            async with broker.workers("q", handle):
                await until(begun)
        assert "its lease was over" in caplog.text
        queue._sync_queue.stored._steps.purged.__next__()  # type: ignore[attr-defined]  # to account for what was cleared


async def test_leaving_the_block_finishes_what_runs_and_leaves_the_rest() -> None:
    async with AsyncBroker() as broker:
        queue = await broker.queue("q")
        begun = asyncio.Event()

        async def handle(message: Message) -> None:
            begun.set()
            while not pool.stopped:
                await asyncio.sleep(0.001)

        await queue.push_many(map(str, range(5)))
        async with broker.workers("q", handle, concurrency=2) as pool:
            await until(begun)
        assert counts(queue._sync_queue) == {"accepted": 5, "acked": 2, "ready": 3}
        assert pool.stopped


@pytest.mark.parametrize("drain", [True, False])
@pytest.mark.parametrize("store", ["memory://", "sqlite:///{}/q.db"])
async def test_what_does_not_end_in_time_is_cancelled_and_released(store: str, drain: bool, tmp_path: object) -> None:
    async with AsyncBroker(store.format(tmp_path)) as broker:
        queue = await broker.queue("q")
        begun = asyncio.Event()
        ended: list[str] = []

        async def handle(message: Message) -> None:
            begun.set()
            try:
                await asyncio.sleep(PATIENCE)
            except asyncio.CancelledError:
                ended.append(message.text)
                raise

        await queue.push("a")
        pool = await broker.workers("q", handle).start()
        await until(begun)
        assert not await pool.stop(drain=drain, timeout=0.01)
        assert ended == ["a"]
        assert counts(queue._sync_queue) == {"accepted": 1, "ready": 1}
        assert (await queue.pull(0)).message.attempts == 1
        assert await pool.stop()


async def test_cancelling_the_block_cancels_the_handlers() -> None:
    async with AsyncBroker() as broker:
        queue = await broker.queue("q")
        begun = asyncio.Event()

        async def handle(message: Message) -> None:
            begun.set()
            await asyncio.sleep(PATIENCE)

        async def serve() -> None:
            async with broker.workers("q", handle):
                await asyncio.sleep(PATIENCE)

        await queue.push("a")
        serving = asyncio.create_task(serve())
        await until(begun)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert counts(queue._sync_queue) == {"accepted": 1, "ready": 1}


async def test_cancelling_a_drain_cancels_the_handlers_and_is_passed_on() -> None:
    async with AsyncBroker() as broker:
        queue = await broker.queue("q")
        begun = asyncio.Event()

        async def handle(message: Message) -> None:
            begun.set()
            await asyncio.sleep(PATIENCE)

        await queue.push("a")
        pool = await broker.workers("q", handle).start()
        await until(begun)
        stopping = asyncio.create_task(pool.stop())
        await asyncio.sleep(MOMENT)
        assert not stopping.done()
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        assert counts(queue._sync_queue) == {"accepted": 1, "ready": 1}


async def test_a_handler_may_stop_its_pool_or_close_its_broker() -> None:
    for drain in (True, False):
        async with AsyncBroker() as broker:
            queue = await broker.queue("q")
            stopped: list[bool] = []

            async def handle(message: Message) -> None:
                stopped.append(await pool.stop(drain=drain))  # noqa: B023

            await queue.push("a")
            pool = await broker.workers("q", handle).start()
            await asyncio.sleep(MOMENT)
            assert stopped == [False]
            assert counts(queue._sync_queue) == {"accepted": 1, "acked": 1}


@pytest.mark.parametrize("drain", [True, False])
@pytest.mark.parametrize("store", ["memory://", "sqlite:///{}/q.db"])
async def test_a_handler_that_closes_its_broker_is_acked_and_with_a_drain_so_are_the_others(
    store: str, drain: bool, tmp_path: object
) -> None:
    broker = AsyncBroker(store.format(tmp_path))
    queue = await broker.queue("q")
    acked: list[str] = []
    both, go_on = asyncio.Event(), asyncio.Event()

    async def handle(message: Message) -> None:
        if message.text == "long":
            both.set()
            await go_on.wait()
        else:
            await both.wait()
            await broker.close(drain)
            with pytest.raises(QueueClosed):
                await broker.push("q", "more")
            await asyncio.sleep(0.01)  # the others are cancelled meanwhile, and this one is not
            go_on.set()
        acked.append(message.text)

    await queue.push_many(["long", "close"])
    pool = await broker.workers("q", handle, concurrency=2).start()
    await until(go_on)
    await asyncio.wait(broker._closing, timeout=PATIENCE)
    assert acked == (["close", "long"] if drain else ["close"])
    assert all(task.done() for task in pool._tasks)
    assert broker.threads.state == "closed"
    if store == "memory://":
        assert counts(queue._sync_queue)["acked"] == len(acked)
    else:
        with Broker(store.format(tmp_path)) as again:
            assert counts(again.queue("q"))["acked"] == len(acked)


async def test_what_a_handler_closes_is_closed_though_nobody_else_closes_it() -> None:
    broker = AsyncBroker()

    async def handle(message: Message) -> None:
        await broker.close()
        assert broker.threads.state == "draining"  # it has not ended yet

    await broker.push("q", "a")
    await broker.workers("q", handle, concurrency=1).start()
    while broker.threads.state != "closed":
        await asyncio.sleep(0.001)
    assert broker.threads.stats().queues["q"].acked == 1


async def test_handlers_of_two_pools_may_close_at_once() -> None:
    broker = AsyncBroker()
    both: list[str] = []

    async def handle(message: Message) -> None:
        both.append(message.text)
        while len(both) < 2:
            await asyncio.sleep(0)
        await broker.close()

    for name in "ab":
        await broker.push(name, name)
        await broker.workers(name, handle, concurrency=2).start()
    while len(both) < 2:
        await asyncio.sleep(0)
    await asyncio.wait_for(broker.close(), PATIENCE)
    assert [queue.acked for queue in broker.threads.stats().queues.values()] == [1, 1]


async def test_closing_goes_on_until_the_queues_are_empty_or_the_time_is_over() -> None:
    broker = AsyncBroker()
    quick, slow = await broker.queue("quick"), await broker.queue("slow")

    async def handle(message: Message) -> None:
        await asyncio.sleep(0.001)

    async def dawdle(message: Message) -> None:
        await asyncio.sleep(PATIENCE)

    await quick.push_many(map(str, range(50)))
    await slow.push_many(["a", "b"])
    await broker.workers("quick", handle, concurrency=2).start()
    await broker.workers("slow", dawdle, concurrency=1).start()
    started = time.monotonic()
    await broker.close(timeout=1.0)
    assert time.monotonic() - started < PATIENCE
    assert counts(quick._sync_queue) == {"accepted": 50, "acked": 50}
    assert counts(slow._sync_queue) == {"accepted": 2, "ready": 2}


async def test_a_shared_broker_goes_on_when_the_pools_of_its_front_have_stopped() -> None:
    with Broker() as shared:
        async with AsyncBroker(shared) as broker:

            async def handle(message: Message) -> None:
                pass

            await broker.workers("q", handle).start()
            await broker.push("q", "a")
            await asyncio.sleep(MOMENT)
        shared.push("q", "b")
        assert counts(shared.queue("q")) == {"accepted": 2, "acked": 1, "ready": 1}


def test_a_pool_can_be_stopped_from_another_loop() -> None:
    with Broker() as shared:
        pools = []
        stopped = []

        async def serve() -> None:
            async def handle(message: Message) -> None:
                pass

            pool = await AsyncBroker(shared).workers("q", handle, concurrency=3).start()
            pools.append(pool)
            await asyncio.wait(pool._tasks)

        serving = Call(asyncio.run, serve())
        while not pools:
            time.sleep(0.001)
        stopped.append(asyncio.run(pools[0].stop()))
        serving.result()
        assert stopped == [True]
        assert asyncio.run(pools[0].stop())  # its loop is closed


async def test_a_pool_needs_an_open_broker_and_what_makes_sense() -> None:
    async def handle(message: Message) -> None:
        pass

    async def generate(message: Message) -> object:
        yield message

    async with AsyncBroker() as broker:
        with pytest.raises(ValueError, match="concurrency"):
            broker.workers("q", handle, concurrency=0)
        with pytest.raises(TypeError, match="handler"):
            broker.workers("q", generate)  # type: ignore[arg-type]
        stopped = broker.workers("q", handle)
        await stopped.stop()
        with pytest.raises(QueueClosed):
            await stopped.start()
        started = await broker.workers("q", handle, concurrency=2).start()
        with pytest.raises(RuntimeError, match="once"):
            await started.start()
        assert len(started._tasks) == 2
    with pytest.raises(QueueClosed):
        broker.workers("q", handle)


async def test_the_waiting_and_handling_of_a_pool_is_measured() -> None:
    clock = ManualClock()
    async with AsyncBroker(clock=clock) as broker:
        queue = await broker.queue("q")

        async def handle(message: Message) -> None:
            clock.advance(3.0)

        await queue.push("a")
        clock.advance(2.0)
        async with broker.workers("q", handle):
            await broker.close()
        assert queue._sync_queue.wait_times.read().seconds == 2.0
        assert queue._sync_queue.handling_times.read().seconds == 3.0


async def test_threads_and_coroutines_work_off_one_queue() -> None:
    async with AsyncBroker() as broker:
        queue = await broker.queue("q", capacity=20)
        seen: list[str] = []

        async def handle(message: Message) -> None:
            await asyncio.sleep(0)
            seen.append(message.text)

        with broker.threads.workers("q", lambda message: seen.append(message.text), workers=3):
            async with broker.workers("q", handle, concurrency=3):
                for number in range(300):
                    await queue.push(str(number))
                await broker.close()
        assert sorted(map(int, seen)) == list(range(300))
        assert counts(queue._sync_queue) == {"accepted": 300, "acked": 300}


async def test_a_worker_of_threads_says_what_to_use_for_an_async_handler() -> None:
    async def handle(message: Message) -> None:
        pass

    with Broker() as broker, pytest.raises(TypeError, match="AsyncBroker"):
        broker.workers("q", handle)
