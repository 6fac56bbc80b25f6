"""The stores that the contract is tested on. To add one: write its `fresh`, and name it in STORES.

Every store must take an injected clock: the whole suite runs on a `ManualClock`.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import redis_server
from tests.support import Unavailable, miss


@dataclass(frozen=True)
class StoreUnderTest:
    """How to get a store, and what it can do beyond the contract.

    fresh: given a folder of its own, a context that gives the URL of an empty store and cleans up behind it, or raises
    `Unavailable`; durable: what it holds at close is there when the same URL is opened again.
    """

    fresh: Callable[[Path], AbstractContextManager[str]]
    durable: bool = False


@contextmanager
def _memory(folder: Path) -> Iterator[str]:
    yield "memory://"


@contextmanager
def _sqlite(folder: Path) -> Iterator[str]:
    yield f"sqlite:///{folder / 'store.db'}"


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    with redis_server.fresh_prefix() as url:
        yield url


STORES = {
    "memory": StoreUnderTest(_memory),
    "sqlite": StoreUnderTest(_sqlite, durable=True),
    "redis": StoreUnderTest(_redis, durable=True),
}


@contextmanager
def fresh_urls(name: str) -> Iterator[Callable[[], str]]:
    """Each call gives the URL of an empty store and does away with the one before; raises `Unavailable`."""
    with ExitStack() as stack:

        def fresh() -> str:
            stack.close()
            folder = stack.enter_context(TemporaryDirectory())
            return stack.enter_context(STORES[name].fresh(Path(folder)))

        yield fresh


@contextmanager
def fresh_url(store: StoreUnderTest, folder: Path) -> Iterator[str]:
    """The URL of an empty store. One that is unavailable skips the test, or fails it where CI is set."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(store.fresh(folder))
        except Unavailable as error:
            miss(error)
        yield url
