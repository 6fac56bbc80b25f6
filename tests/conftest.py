"""Fixtures: a clock that stands still until told, and brokers that must keep the conservation law to the end."""

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from lightbroker import Broker, ManualClock, Queue, QueueClosed, Retry
from tests import redis_server
from tests.adversary.models.total_queue import switching_every
from tests.nodes import running_anvil
from tests.support import PATIENCE, Unavailable, miss


@pytest.fixture(autouse=True)
def threads_end_with_their_test() -> Iterator[None]:
    """Wait for the threads that a test leaves, so that none of them writes into the log of the next.

    A clock's may stay: it waits for alarms of brokers that were dropped, and has nobody to call.
    """
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if thread.name != "lightbroker-clock":
            thread.join(PATIENCE)
            assert not thread.is_alive(), f"{thread} of this test still runs"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1000.0)


@pytest.fixture
def store_url() -> str:
    """What a broker of this test keeps its queues in; the contract runs its tests with the URL of every store."""
    return "memory://"


@pytest.fixture
def front() -> Callable[..., Any]:
    """What a test uses as its broker; the contract runs its tests through the event loop as well."""
    return Broker


@pytest.fixture
def make_broker(front: Callable[..., Any], store_url: str, clock: ManualClock) -> Iterator[Callable[..., Broker]]:
    """Make brokers on the store and the clock of the test; at its end each must keep the law."""
    brokers = []

    def make(**options: Any) -> Broker:
        brokers.append(front(store_url, clock=clock, **options))
        return brokers[-1]

    yield make
    try:
        for broker in brokers:
            with suppress(QueueClosed):  # the test closed it, and its store has nothing left to tell
                broker.check()
    finally:
        for broker in brokers:
            broker.close(drain=False)


@pytest.fixture
def broker(make_broker: Callable[..., Broker]) -> Broker:
    return make_broker()


@pytest.fixture
def open_queue(broker: Broker) -> Callable[..., Queue]:
    """Declare the queue "q" with the options given; failures are tried again at once unless `retry` says otherwise."""

    def open_queue(**options: Any) -> Queue:
        return broker.queue("q", **{"lease": 30.0, "retry": Retry(base=0.0), **options})

    return open_queue


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine, in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    asyncio.run(pyfuncitem.obj(**arguments))
    return True


@pytest.fixture(params=[None, 1e-6], ids=["switching as usual", "switching every microsecond"])
def switching(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run a test of threads a second time with the smallest switch interval; for `usefixtures`."""
    with switching_every(request.param):
        yield


@pytest.fixture
def redis_installed() -> None:
    """For tests that start a Redis server of their own: skips them where there is none, or fails them in CI."""
    try:
        redis_server.check()
    except Unavailable as error:
        miss(error)


@pytest.fixture
def anvil() -> Iterator[str]:
    """The address of a real node with a chain of its own, which mines when it is told to."""
    with running_anvil() as url:
        yield url
