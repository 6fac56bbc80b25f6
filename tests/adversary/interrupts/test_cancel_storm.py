"""Cancelling coroutines at random loses, duplicates and forgets nothing; and the storm would notice if it did."""

import asyncio
from collections.abc import Generator
from typing import Any

import pytest

from lightbroker.aio.delivery import AsyncDelivery
from lightbroker.aio.direct import DirectDelivery
from tests.adversary.interrupts import cancel_storm
from tests.adversary.models.total_queue import switching_every
from tests.contract.stores import STORES
from tests.support import Unavailable, miss


def faults(report: dict[str, Any]) -> dict[str, Any]:
    return {name: report[name] for name in cancel_storm.FAULTS if report[name]}


@pytest.mark.parametrize("loops", [1, 3])
def test_no_message_is_lost_or_duplicated_and_no_waiter_is_forgotten(loops: int) -> None:
    report = cancel_storm.run(1_500, loops=loops, seed=loops)
    assert not faults(report), report
    assert report["cancelled"] >= 1_500
    assert report["messages"] > 100


def test_the_same_when_threads_switch_every_microsecond() -> None:
    with switching_every(1e-6):
        report = cancel_storm.run(600, each=200, seed=4)
    assert not faults(report), report


@pytest.mark.parametrize("store", [name for name, store in STORES.items() if store.durable])
def test_the_same_over_a_store_that_does_io(store: str) -> None:
    try:
        report = cancel_storm.run_over(store, 300, each=100)
    except Unavailable as error:
        miss(error)
    assert not faults(report), report


def test_it_notices_a_message_that_is_taken_before_the_last_await(monkeypatch: pytest.MonkeyPatch) -> None:
    def take_and_wait(self: DirectDelivery, pull: Any = DirectDelivery.__await__) -> Generator[Any, Any, AsyncDelivery]:
        delivery = yield from pull(self)
        yield from asyncio.sleep(0).__await__()
        return delivery

    monkeypatch.setattr(cancel_storm, "PATIENCE", 0.5)
    monkeypatch.setattr(DirectDelivery, "__await__", take_and_wait)
    assert cancel_storm.run(1_000, each=100)["lost"]
