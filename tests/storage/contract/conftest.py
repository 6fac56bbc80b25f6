"""Every test in this folder runs on every store of the registry."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores import STORES, StoreUnderTest, fresh_url


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> StoreUnderTest:
    return STORES[request.param]


@pytest.fixture
def store_url(store: StoreUnderTest, tmp_path: Path) -> Iterator[str]:
    with fresh_url(store, tmp_path) as url:
        yield url
