"""A store knows the queues that it holds, so that who looks after them can open what is there and make nothing."""

from contextlib import closing

from lightbroker import Overflow, Retry, SystemClock
from lightbroker.core.policy import QueueOptions
from lightbroker.core.registry import open_store
from tests.contract.stores import StoreUnderTest

OPTIONS = QueueOptions(7, Overflow.REJECT, 1.5, Retry(2, 0.25, 3.0, 9.0, False, 4), 60.0, None)


def test_a_new_store_holds_no_queue(store_url: str) -> None:
    with closing(open_store(store_url)) as store:
        assert store.declared() == {}


def test_every_queue_is_known_with_the_options_that_it_was_opened_with(store_url: str) -> None:
    with closing(open_store(store_url)) as store:
        for name, options in (("b", OPTIONS), ("a", QueueOptions())):
            store.queue(name, options, SystemClock(), None).close()
        assert store.declared() == {"a": QueueOptions(), "b": OPTIONS}


def test_a_durable_store_knows_the_options_of_whoever_opened_a_queue_last(
    store: StoreUnderTest, store_url: str
) -> None:
    if not store.durable:
        return
    later = QueueOptions(7, lease=60.0, dead_capacity=None)
    for options in (OPTIONS, later):
        with closing(open_store(store_url)) as opened:
            opened.queue("a", options, SystemClock(), None).close()
    with closing(open_store(store_url)) as opened:
        assert opened.declared() == {"a": later}
