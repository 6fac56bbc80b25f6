"""Topics for coroutines: iteration, slow subscribers, bound queues, and cancellations that lose no message."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from lightbroker import Broker, Overflow, QueueClosed, QueueEmpty, StoreError, Subscription
from lightbroker.aio import AsyncBroker
from tests.support import MOMENT, PATIENCE, Call, counts


def slow_to_subscribe(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Let a subscribing thread set the first event, and go on when the second is set."""
    begun, go_on = threading.Event(), threading.Event()

    def subscribe(self: Broker, subscribe: Any = Broker.subscribe, **options: Any) -> Subscription:
        begun.set()
        assert go_on.wait(PATIENCE)
        return subscribe(self, **options)  # type: ignore[no-any-return]

    monkeypatch.setattr(Broker, "subscribe", subscribe)
    return begun, go_on


async def test_a_subscription_is_iterated_until_it_is_closed() -> None:
    async with AsyncBroker() as broker, broker.subscribe("chain.*") as subscription:
        seen: list[str] = []

        async def read() -> None:
            async for message in subscription:
                seen.append(message.text)

        reading = asyncio.create_task(read())
        for number in range(3):
            assert await broker.publish("chain.heads", str(number)) == 1
        await asyncio.sleep(MOMENT)
        assert seen == ["0", "1", "2"]
        await subscription.close()
        await reading
        with pytest.raises(QueueClosed):
            await subscription.get()


async def test_a_subscription_listens_from_when_it_is_awaited_entered_or_read() -> None:
    async with AsyncBroker() as broker:
        late = broker.subscribe("t")
        with pytest.raises(QueueClosed, match="await it first"):
            late.stats()
        awaited = await broker.subscribe("t")
        assert await broker.publish("t", "a") == 1
        with pytest.raises(QueueEmpty):
            await late.get(timeout=0.01)
        assert await broker.publish("t", "b") == 2
        assert [(await awaited.get()).text for _ in "ab"] == ["a", "b"]
        assert (await late.get()).text == "b"
        never = broker.subscribe("t")
        await never.close()
        with pytest.raises(QueueClosed):
            await never.get()


async def test_a_thread_publishes_to_a_coroutine_that_waits() -> None:
    async with AsyncBroker() as broker, broker.subscribe("t") as subscription:
        waiting = asyncio.create_task(subscription.get())
        await asyncio.sleep(0)
        Call(broker.threads.publish, "t", "from a thread").result()
        assert (await waiting).text == "from a thread"


async def test_a_cancelled_reader_takes_no_message_and_hands_on_its_wake() -> None:
    async with AsyncBroker() as broker, broker.subscribe("t") as subscription:
        readers = [asyncio.create_task(subscription.get()) for _ in range(2)]
        await asyncio.sleep(0)
        await broker.publish("t", "a")  # wakes the first
        readers[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await readers[0]
        assert (await readers[1]).text == "a"


@pytest.mark.parametrize("entered", [True, False])
async def test_a_coroutine_that_is_cancelled_while_it_subscribes_leaves_no_subscription(
    entered: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = slow_to_subscribe(monkeypatch)
    async with AsyncBroker(f"sqlite:///{tmp_path}/q.db") as broker:

        async def listen() -> None:
            subscription = broker.subscribe("t", capacity=1, overflow=Overflow.BLOCK)
            await (subscription.__aenter__() if entered else subscription)

        listening = asyncio.create_task(listen())
        assert await asyncio.to_thread(begun.wait, PATIENCE)
        listening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listening
        go_on.set()
        assert (await broker.stats()).subscriptions == ()  # in the same thread, after the subscribing
        for body in "ab":
            assert await asyncio.wait_for(broker.publish("t", body), PATIENCE) == 0


async def test_a_read_that_is_cancelled_while_it_subscribes_leaves_the_subscription_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = slow_to_subscribe(monkeypatch)
    async with AsyncBroker(f"sqlite:///{tmp_path}/q.db") as broker:
        subscription = broker.subscribe("t")
        reading = asyncio.create_task(subscription.get())
        assert await asyncio.to_thread(begun.wait, PATIENCE)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        go_on.set()
        await broker.stats()  # in the same thread, after the subscribing
        assert await broker.publish("t", "a") == 1
        assert (await subscription.get()).text == "a"


async def test_a_patient_subscriber_that_is_full_suspends_the_publisher_and_keeps_nothing_from_the_others() -> None:
    async with AsyncBroker() as broker:
        patient = await broker.subscribe("t", capacity=1, overflow=Overflow.BLOCK)
        other = await broker.subscribe("t", capacity=1)
        await broker.publish("t", "a")
        publishing = asyncio.create_task(broker.publish("t", "b"))
        await asyncio.sleep(MOMENT)
        assert not publishing.done()
        assert other.dropped == 1
        assert (await other.get()).text == "b"
        assert (await patient.get()).text == "a"
        assert await publishing == 2
        publishing = asyncio.create_task(broker.publish("t", "c"))
        await asyncio.sleep(MOMENT)
        await patient.close()
        assert await publishing == 1


async def test_members_of_a_group_share_the_messages() -> None:
    async with AsyncBroker() as broker:
        members = [await broker.subscribe("t", group="g") for _ in range(2)]
        reads = [asyncio.create_task(member.get()) for member in members]
        await asyncio.sleep(0)
        assert await broker.publish("t", "a") == 1
        assert await broker.publish("t", "b") == 1
        assert sorted([(await read).text for read in reads]) == ["a", "b"]


async def test_a_bound_queue_is_fed_and_when_it_is_full_suspends_the_publisher() -> None:
    async with AsyncBroker() as broker:
        queue = await broker.queue("q", capacity=1)
        await broker.bind("chain.>", "q")
        assert await broker.publish("chain.heads.new", "a", headers={"h": "1"}) == 1
        publishing = asyncio.create_task(broker.publish("chain.heads", "b"))
        await asyncio.sleep(MOMENT)
        assert not publishing.done()
        async with queue.pull() as message:
            assert (message.text, dict(message.headers)) == ("a", {"h": "1", "topic": "chain.heads.new"})
        assert await publishing == 1
        assert counts(queue._sync_queue) == {"accepted": 2, "acked": 1, "ready": 1}


async def test_a_bound_queue_whose_store_cannot_be_used_keeps_nothing_from_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with AsyncBroker() as broker:
        queues = [await broker.queue(name) for name in ("p", "q")]
        for queue in queues:
            await broker.bind("t", queue.name)

        async def push(*_: object, **__: object) -> None:
            raise StoreError("the disk is full")

        monkeypatch.setattr(queues[0], "push", push)
        with pytest.raises(StoreError, match="disk is full"):
            await broker.publish("t", "x")
        assert [(await queue.stats()).ready for queue in queues] == [0, 1]
