"""How a coroutine waits: it misses nothing between two steps, and no wake is lost or made up."""

import asyncio
from collections import deque
from queue import Empty
from typing import Any

import pytest

from lightbroker.aio.waiting import attempt
from lightbroker.core.waiting import Waiters, wake
from tests.support import PATIENCE


class Shelf:
    """Things to take, and the waiters for them. With `suspend` cleared, taking one suspends the coroutine first."""

    def __init__(self) -> None:
        self.things: list[str] = []
        self.waiters: Waiters = deque()
        self.suspend = asyncio.Event()
        self.suspend.set()

    def put(self, thing: str) -> None:
        self.things.append(thing)
        wake(self.waiters)

    async def take(self) -> str:
        await self.suspend.wait()
        if not self.things:
            raise Empty
        return self.things.pop(0)

    def wait(self, timeout: float | None = None) -> "asyncio.Task[str]":
        return asyncio.create_task(attempt(self.waiters, self.take, timeout))

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


async def test_what_comes_after_a_look_in_vain_is_not_missed() -> None:
    shelf = Shelf()
    looks = 0

    async def take_too_early() -> str:
        nonlocal looks
        looks += 1
        if looks == 1:
            shelf.put("just after the look")
            raise Empty
        return await shelf.take()

    waiting = attempt(shelf.waiters, take_too_early, None)
    assert await asyncio.wait_for(waiting, PATIENCE) == "just after the look"


@pytest.mark.parametrize("timeout", [None, PATIENCE])
async def test_one_wake_serves_one_and_leaves_the_others_asleep(timeout: float | None) -> None:
    shelf = Shelf()
    tasks = [shelf.wait(timeout) for _ in range(3)]
    await shelf.settle()
    shelf.put("a")
    await shelf.settle()
    assert [task.done() for task in tasks] == [True, False, False]
    assert len(shelf.waiters) == 2
    for thing in "bc":
        shelf.put(thing)
    assert [await task for task in tasks] == ["a", "b", "c"]


async def test_a_coroutine_that_is_cancelled_in_its_step_after_a_wake_wakes_the_next() -> None:
    shelf = Shelf()
    first, second = shelf.wait(), shelf.wait()
    await shelf.settle()
    shelf.suspend.clear()
    shelf.put("a")
    await shelf.settle()  # the first is on its way
    first.cancel()
    await shelf.settle()
    shelf.suspend.set()
    assert await asyncio.wait_for(second, PATIENCE) == "a"


async def test_a_coroutine_that_is_woken_while_it_takes_what_was_at_hand_wakes_the_next() -> None:
    shelf = Shelf()
    shelf.suspend.clear()
    shelf.things.append("at hand")
    first = shelf.wait()
    await shelf.settle()
    second = shelf.wait()
    await shelf.settle()
    shelf.put("b")  # wakes the first, which needs no wake
    shelf.suspend.set()
    assert await first == "at hand"
    assert await asyncio.wait_for(second, PATIENCE) == "b"
    assert not shelf.waiters


async def test_a_step_that_fails_hands_its_wake_on() -> None:
    shelf = Shelf()
    fails: list[Exception] = [Empty()]

    async def fail() -> Any:
        raise fails[0]

    failing = asyncio.create_task(attempt(shelf.waiters, fail, None))
    await shelf.settle()
    waiting = shelf.wait()
    await shelf.settle()
    fails[0] = ZeroDivisionError()
    shelf.put("a")
    with pytest.raises(ZeroDivisionError):
        await failing
    assert await asyncio.wait_for(waiting, PATIENCE) == "a"


async def test_a_wake_that_was_of_use_or_in_vain_wakes_no_other() -> None:
    shelf = Shelf()
    looks: list[str] = []

    def wait(name: str) -> "asyncio.Task[str]":
        async def look() -> str:
            looks.append(name)
            return await shelf.take()

        return asyncio.create_task(attempt(shelf.waiters, look, None))

    tasks = [wait(name) for name in "xyz"]
    await shelf.settle()
    looks.clear()
    shelf.put("a")
    await shelf.settle()
    assert looks == ["x"]
    wake(shelf.waiters)  # in vain
    await shelf.settle()
    assert looks == ["x", "y"]
    tasks[1].cancel()
    await shelf.settle()
    assert looks == ["x", "y"]
    assert len(shelf.waiters) == 1
    tasks[2].cancel()


async def test_a_wait_leaves_no_timer_behind() -> None:
    shelf = Shelf()
    before: Any = asyncio.get_running_loop()
    waiting = shelf.wait(3600.0)
    await shelf.settle()
    shelf.put("a")
    await waiting
    assert all(timer.cancelled() for timer in before._scheduled)
