"""Every test in this folder runs on every store of the registry, by threads and through an event loop."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lightbroker import Broker
from tests.contract.facade import Facade
from tests.contract.stores import STORES, StoreUnderTest, fresh_url


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> StoreUnderTest:
    return STORES[request.param]


@pytest.fixture
def store_url(store: StoreUnderTest, tmp_path: Path) -> Iterator[str]:
    with fresh_url(store, tmp_path) as url:
        yield url


@pytest.fixture(params=["threads", "asyncio"])
def front(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "threads":
        yield Broker
        return
    facades: list[Facade] = []

    def make(*args: Any, **options: Any) -> Facade:
        facades.append(Facade(*args, **options))
        return facades[-1]

    yield make
    for facade in facades:
        facade.stop()
