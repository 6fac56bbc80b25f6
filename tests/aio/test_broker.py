"""AsyncBroker: what it promises beyond the contract, whose tests run over it too."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lightbroker import Broker, LeaseLost, ManualClock, Overflow, QueueClosed, QueueEmpty, QueueFull, Retry
from lightbroker.aio import AsyncBroker, AsyncDelivery, AsyncQueue
from lightbroker.aio.waiting import CoroutineWaiter
from tests.support import MOMENT, PATIENCE, Call, counts, wait_until


async def suspended(task: "asyncio.Task[Any]") -> bool:
    """Return whether a task is still not done after a moment."""
    for _ in range(10):  # in many parts, because a stall of the machine takes only one of them
        await asyncio.sleep(MOMENT / 10)
    return not task.done()


async def waiting_pulls(queue: AsyncQueue, pulls: int) -> None:
    """Return when `pulls` coroutines wait for a message."""
    while len(queue._sync_queue.stored.pullers) < pulls:  # type: ignore[attr-defined]
        await asyncio.sleep(0.001)


@asynccontextmanager
async def ticking() -> AsyncIterator[list[int]]:
    """Count how often the event loop goes round during the block."""
    ticks: list[int] = []

    async def tick() -> None:
        while True:
            ticks.append(len(ticks))
            await asyncio.sleep(0)

    task = asyncio.create_task(tick())
    yield ticks
    task.cancel()


async def test_a_message_goes_from_push_to_ack() -> None:
    async with AsyncBroker() as broker:
        id = await broker.push("q", {"a": 1})
        delivery = await broker.pull("q")
        assert delivery.message.json() == {"a": 1}
        assert delivery.message.id == id
        await delivery.ack()
        assert counts((await broker.queue("q"))._sync_queue) == {"accepted": 1, "acked": 1}
        with pytest.raises(LeaseLost):
            await delivery.ack()


async def test_a_pull_is_a_context_that_acks() -> None:
    async with AsyncBroker() as broker:
        await broker.push("q", "a")
        async with broker.pull("q") as message:
            assert message.text == "a"
            assert (await broker.stats()).queues["q"].leased == 1
        assert (await broker.stats()).queues["q"].acked == 1


async def test_an_exception_in_the_context_nacks_and_goes_on() -> None:
    async with AsyncBroker() as broker:
        queue = await broker.queue("q", retry=Retry(max_attempts=1))
        await queue.push("a")
        with pytest.raises(ZeroDivisionError):
            async with queue.pull():
                _ = 1 / 0
        [letter] = [letter async for letter in broker.dlq("q")]
        assert letter.error == "ZeroDivisionError: division by zero"
        assert "_ = 1 / 0" in letter.traceback


async def test_cancelling_the_context_releases() -> None:
    async with AsyncBroker() as broker:
        await broker.push("q", "a")

        async def work() -> None:
            async with broker.pull("q"):
                await asyncio.sleep(PATIENCE)

        task = asyncio.create_task(work())
        assert await suspended(task)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await broker.pull("q", timeout=0)).message.attempts == 1


async def test_a_pull_can_be_a_task() -> None:
    async with AsyncBroker() as broker:
        known = await broker.queue("known")
        tasks = [asyncio.create_task(pull) for pull in (known.pull(), known.pull(PATIENCE), broker.pull("new"))]
        await waiting_pulls(known, 2)
        for name in ("known", "known", "new"):
            await broker.push(name, name)
        assert [(await task).message.text for task in tasks] == ["known", "known", "new"]


async def test_a_pull_can_be_awaited_once() -> None:
    async with AsyncBroker() as broker:
        queue = await broker.queue("q")
        await queue.push_many(["a", "b", "c"])
        new = broker.pull("new")
        await broker.push("new", "a")
        for pull in (queue.pull(), queue.pull(PATIENCE), broker.pull("q"), new):
            await pull
            with pytest.raises(RuntimeError, match="once"):
                await pull


async def test_a_time_out_is_real_time_whatever_the_clock(clock: ManualClock) -> None:
    async with AsyncBroker(clock=clock) as broker:
        queue = await broker.queue("q")
        for pull in (queue.pull(0), queue.pull(0.01), broker.pull("q", 0.01), broker.pull("new", 0.01)):
            with pytest.raises(QueueEmpty):
                await pull
        with pytest.raises(QueueEmpty):
            await queue.pull_many(2, 0.01)


async def test_delays_and_leases_follow_the_injected_clock(clock: ManualClock) -> None:
    async with AsyncBroker(clock=clock) as broker:
        queue = await broker.queue("q", lease=30.0, retry=Retry(base=0.0))
        waiting = asyncio.create_task(queue.pull())
        await queue.push("a", delay=5.0)
        assert await suspended(waiting)
        clock.advance(5.0)
        first = await waiting
        await first.extend(40.0)
        clock.advance(39.0)
        waiting = asyncio.create_task(queue.pull())
        assert await suspended(waiting)
        clock.advance(1.0)
        assert (await waiting).message.attempts == 2
        with pytest.raises(LeaseLost):
            await first.ack()


async def test_wrong_arguments_change_nothing_and_declare_no_queue() -> None:
    async with AsyncBroker() as broker:
        for call in (
            lambda: broker.push("q", b"", delay=-1.0),
            lambda: broker.push("q", object()),
            lambda: broker.push("q", b"", timeout="1"),  # type: ignore[arg-type]
            lambda: broker.push("", b""),
            lambda: broker.push(7, b""),  # type: ignore[arg-type]
            lambda: broker.queue("q", capacity=0),
            lambda: broker.bind("a..b", "q"),
            lambda: broker.subscribe("a..b").get(),
            lambda: broker.subscribe("a", overflow=Overflow.DEAD_LETTER).get(),
            lambda: broker.publish("*", b""),
        ):
            with pytest.raises((TypeError, ValueError)):
                await call()
        for pull in (lambda: broker.pull("q", -1.0), lambda: broker.workers("q", 7)):  # type: ignore[arg-type]
            with pytest.raises((TypeError, ValueError)):
                pull()
        assert (await broker.stats()).queues == {}
        queue = await broker.queue("q")
        with pytest.raises(TypeError, match="deliveries"):
            await queue.ack_many([7])  # type: ignore[list-item]
        with pytest.raises(ValueError, match="capacity"):
            await broker.queue("q", capacity=7)
        with pytest.raises(ValueError, match="timeout"):
            queue.pull(-1.0)


async def test_a_broker_that_is_given_is_shared_and_stays_open(clock: ManualClock) -> None:
    with Broker(clock=clock) as shared:
        async with AsyncBroker(shared) as broker:
            queue = await broker.queue("q", capacity=5)
            assert queue._sync_queue is shared.queue("q", capacity=5)
            assert broker.threads is shared
            shared.push("q", "from a thread")
            assert (await queue.pull()).message.text == "from a thread"
        shared.push("q", "still open")
        for options in ({"clock": clock}, {"trace": 5}):
            with pytest.raises(ValueError, match="clock and trace"):
                AsyncBroker(shared, **options)


async def test_a_thread_pushes_what_a_coroutine_waits_for_and_the_other_way_round() -> None:
    async with AsyncBroker() as broker:
        there, back = await broker.queue("there", capacity=2), await broker.queue("back", capacity=2)

        def echo() -> None:
            for _ in range(500):
                with there._sync_queue.pull() as message:
                    back._sync_queue.push(message.body)

        thread = Call(echo)

        async def send() -> None:
            for number in range(500):
                await there.push(str(number))

        sending = asyncio.create_task(send())
        for number in range(500):
            async with back.pull() as message:
                assert message.text == str(number)
        await sending
        thread.result()
        assert counts(back._sync_queue) == counts(there._sync_queue) == {"accepted": 500, "acked": 500}


@pytest.mark.parametrize("capacity", [None, 10])
def test_several_loops_in_several_threads_share_one_broker(capacity: int | None) -> None:
    loops, each = 3, 300
    shared = Broker()
    shared.queue("q", capacity=capacity)

    async def work(loop: int) -> list[str]:
        queue = await AsyncBroker(shared).queue("q", capacity=capacity)
        seen: list[str] = []

        async def push(part: int) -> None:
            for number in range(each):
                await queue.push(f"{loop} {part} {number}")

        async def pull() -> None:
            while (delivery := await queue.pull()).message.text != "end":
                seen.append(delivery.message.text)
                await delivery.ack()
                await asyncio.sleep(0)
            await delivery.ack()

        pulling = [asyncio.create_task(pull()) for _ in range(5)]
        await asyncio.gather(*map(push, range(2)))
        for _ in pulling:
            await queue.push("end")
        await asyncio.gather(*pulling)
        return seen

    calls = [Call(asyncio.run, work(loop)) for loop in range(loops)]
    seen = [text for call in calls for text in call.result()]
    assert sorted(seen) == sorted(f"{m} {p} {n}" for m in range(loops) for p in range(2) for n in range(each))
    shared.check()
    assert shared.stats().queues["q"].held == 0
    shared.close()


async def test_a_thousand_waiters_are_served_in_order_with_one_wake_for_each_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiters, woken = 1000, []
    monkeypatch.setattr(
        CoroutineWaiter, "release", lambda self, release=CoroutineWaiter.release: (woken.append(self), release(self))
    )
    async with AsyncBroker() as broker:
        queue = await broker.queue("q")
        threads = set(threading.enumerate())
        served: list[tuple[int, str]] = []

        async def wait(number: int) -> None:
            served.append((number, (await queue.pull()).message.text))

        tasks = [asyncio.create_task(wait(number)) for number in range(waiters)]
        await waiting_pulls(queue, waiters)
        assert set(threading.enumerate()) <= threads
        await queue.push("0")
        await asyncio.sleep(0.01)
        assert served == [(0, "0")]
        assert len(woken) == 1
        pushing = Call(lambda: [queue._sync_queue.push(str(number)) for number in range(1, waiters)])
        await asyncio.gather(*tasks)
        pushing.result()
        assert served == [(number, str(number)) for number in range(waiters)]
        assert waiters <= len(woken) < 1.1 * waiters  # more if a wake met a waiter that had just been woken


async def test_a_pull_that_is_cancelled_once_it_was_woken_hands_its_wake_on() -> None:
    async with AsyncBroker() as broker:
        await broker.queue("q")
        first, second = (asyncio.create_task(broker.pull("q")) for _ in range(2))
        while len(broker.threads.queue("q").stored.pullers) < 2:
            await asyncio.sleep(0)
        await broker.push("q", "a")
        first.cancel()
        delivery = await asyncio.wait_for(second, PATIENCE)
        assert (delivery.message.text, delivery.message.attempts) == ("a", 1)
        assert first.cancelled()
        await delivery.ack()


async def test_a_waiter_that_was_woken_in_vain_keeps_its_turn() -> None:
    async with AsyncBroker() as broker:
        queue = await broker.queue("q")
        served: list[str] = []

        async def wait(name: str) -> None:
            await queue.pull()
            served.append(name)

        tasks = [asyncio.create_task(wait(name)) for name in ("first", "second")]
        await waiting_pulls(queue, 2)
        await queue.push("a")  # wakes the first
        assert (await queue.pull(0)).message.text == "a"  # so that the first finds nothing
        await asyncio.sleep(0)
        await waiting_pulls(queue, 2)
        await queue.push_many(["b", "c"])
        await asyncio.gather(*tasks)
        assert served == ["first", "second"]


async def test_a_waiter_that_is_cancelled_once_it_was_woken_wakes_the_next() -> None:
    async with AsyncBroker() as broker:
        queue = await broker.queue("q", capacity=1)
        pulls = [asyncio.create_task(queue.pull()) for _ in range(2)]
        await waiting_pulls(queue, 2)
        await queue.push("a")  # wakes the first
        pulls[0].cancel()
        assert (await asyncio.wait_for(pulls[1], PATIENCE)).message.text == "a"
        pushes = [asyncio.create_task(queue.push(text)) for text in "bc"]
        await asyncio.sleep(0)
        await pulls[1].result().ack()  # wakes the first
        pushes[0].cancel()
        assert await asyncio.wait_for(pushes[1], PATIENCE)
        assert counts(queue._sync_queue) == {"ready": 1, "accepted": 2, "acked": 1}
        for cancelled in (pulls[0], pushes[0]):
            assert cancelled.cancelled()


@pytest.mark.parametrize("delay", [0.0, 1.0])
async def test_a_full_queue_suspends_the_coroutine_and_not_the_loop(delay: float) -> None:
    async with AsyncBroker() as broker:
        queue = await broker.queue("q", capacity=1)
        await queue.push("a")
        async with ticking() as ticks:
            pushes = [
                asyncio.create_task(queue.push("b", delay=delay)),
                asyncio.create_task(queue.push_many(["c", "d"], delay=delay)),
            ]
            assert await suspended(pushes[1])
            assert not pushes[0].done()
            assert len(ticks) > 10
        assert counts(queue._sync_queue) == {"ready": 1, "accepted": 1}  # and nothing is refused
        for push in pushes:
            push.cancel()


async def test_a_push_that_waited_in_vain_is_refused_once() -> None:
    async with AsyncBroker() as broker:
        queue = await broker.queue("q", capacity=2)
        await queue.push("a")
        with pytest.raises(QueueFull) as caught:
            await queue.push_many(["b", "c", "d"], timeout=0.02)
        assert len(caught.value.accepted) == 1
        with pytest.raises(QueueFull):
            await queue.push("c", timeout=0.02)
        with pytest.raises(QueueFull):
            await queue.push("c", timeout=0)
        assert counts(queue._sync_queue) == {"ready": 2, "accepted": 2, "refused": 3}


async def test_waiting_pushes_get_room_in_order() -> None:
    async with AsyncBroker() as broker:
        queue = await broker.queue("q", capacity=1)
        await queue.push("0")
        pushes = [asyncio.create_task(queue.push(str(number))) for number in range(1, 20)]
        for number in range(20):
            async with queue.pull() as message:
                assert message.text == str(number)
        await asyncio.gather(*pushes)


@pytest.mark.parametrize("drain", [True, False])
async def test_closing_wakes_every_coroutine_that_waits(drain: bool) -> None:
    broker = AsyncBroker()
    queue, full = await broker.queue("q"), await broker.queue("full", capacity=1)
    await full.push("a")
    subscription = await broker.subscribe("t")
    waiting = [queue.pull(), queue.pull(PATIENCE), queue.pull_many(2), full.push("b"), full.push_many(["b", "c"])]
    tasks = [asyncio.ensure_future(each) for each in (*waiting, subscription.get())]
    await waiting_pulls(queue, 3)
    await broker.close(drain=drain)
    for error in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(error, QueueClosed)
    for _ in range(2):
        await broker.close()
    with pytest.raises(QueueClosed):
        await broker.push("q", "b")
    with pytest.raises(QueueClosed):
        await broker.queue("new")


def test_a_loop_that_was_closed_takes_no_wake_from_others() -> None:
    broker = Broker()
    queue = broker.queue("q")
    waiters = queue.stored.pullers  # type: ignore[attr-defined]
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)  # it would say that tasks were left behind

    async def leave_waiting() -> list["asyncio.Task[AsyncDelivery]"]:
        same = await AsyncBroker(broker).queue("q")
        tasks = [asyncio.create_task(same.pull()) for _ in range(500)]
        await waiting_pulls(same, 500)
        return tasks

    tasks = loop.run_until_complete(leave_waiting())
    waiting = Call(queue.pull, PATIENCE)
    wait_until(lambda: len(waiters) == 501)
    loop.close()
    queue.push("a")
    assert waiting.result().message.text == "a"
    assert not waiters
    assert not any(task.done() for task in tasks)


async def test_what_the_broker_remembers_and_counts_can_be_asked() -> None:
    async with AsyncBroker(trace=10) as broker:
        id = await broker.push("q", "a")
        async with broker.pull("q"):
            pass
        assert id is not None
        assert [step.target for step in broker.trace(id)] == ["READY", "LEASED", "acked"]
        assert (await broker.stats()).queues["q"].acked == 1
        await broker.check()


async def test_dead_letters_are_counted_listed_redriven_and_purged() -> None:
    async with AsyncBroker() as broker:
        await broker.push("q", "a")
        await (await broker.pull("q")).reject("no")
        dead = broker.dlq("q")
        assert await dead.count() == 1
        assert [letter.error async for letter in dead] == ["no"]
        assert await dead.redrive() == 1
        delivery = await broker.pull("q")
        assert isinstance(delivery, AsyncDelivery)
        await delivery.reject("again")
        assert await dead.purge() == 1
        assert await dead.count() == 0


def test_a_broker_that_does_io_is_opened_in_a_thread_when_it_is_used(tmp_path: Any) -> None:
    path = tmp_path / "late.db"
    broker = AsyncBroker(f"sqlite:///{path}")
    assert not path.exists()
    with pytest.raises(QueueClosed):
        _ = broker.threads

    async def use() -> None:
        async with broker:
            assert path.exists()
            await broker.push("q", "a")
            assert broker.threads.stats().queues["q"].ready == 1

    async def use_none() -> None:
        broker = AsyncBroker("nonsense://")
        with pytest.raises(ValueError, match="no store"):
            await broker.push("q", b"")
        await broker.close()

    asyncio.run(use())
    asyncio.run(use_none())


async def test_a_push_that_meets_the_close_puts_the_none_back_for_the_next() -> None:
    with Broker() as shared:
        queue: Any = await AsyncBroker(shared).queue("q", capacity=1)
        pool = queue._sync_queue.stored._steps.pool
        permit = pool.get()
        pool.put(None)  # as `refuse` does after the push has looked whether the queue is closed
        with pytest.raises(QueueClosed):
            await queue.push(b"a")
        assert pool.get_nowait() is None
        pool.put(permit)


async def test_a_late_ack_raises_and_counts_nothing(clock: ManualClock) -> None:
    async with AsyncBroker(clock=clock) as broker:
        queue = await broker.queue("q", capacity=1, retry=Retry(base=0.0))
        await queue.push("a")
        delivery = await queue.pull()
        clock.advance(30.0)
        with pytest.raises(LeaseLost):
            await delivery.ack()
        await broker.check()
        assert counts(queue._sync_queue) == {"accepted": 1, "ready": 1, "retried": 1}


async def test_a_block_whose_lease_is_over_raises_its_own_error_or_lease_lost(
    clock: ManualClock,
) -> None:
    async with AsyncBroker(clock=clock) as broker:
        await broker.push("q", "a")
        with pytest.raises(ZeroDivisionError):
            async with broker.pull("q"):
                clock.advance(30.0)
                _ = 1 / 0
        clock.advance(30.0)
        with pytest.raises(LeaseLost):
            async with broker.pull("q"):
                clock.advance(30.0)


async def test_a_message_that_has_expired_is_not_delivered_before_the_alarm_has_rung(clock: ManualClock) -> None:
    async with AsyncBroker(clock=clock) as broker:
        queue = await broker.queue("q")
        await queue.push("expires", ttl=1.0)
        await queue.push("stays")
        clock._now += 2.0  # without the alarms
        assert (await queue.pull()).message.text == "stays"
        assert counts(queue._sync_queue) == {"accepted": 2, "expired": 1, "leased": 1}
