"""What holds for every store that outlives its broker: several brokers on one URL see one queue."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lightbroker import Broker, LeaseLost, ManualClock, Queue, QueueFull, Retry
from tests.contract.stores import STORES, fresh_url
from tests.support import counts, drain

Make = Callable[..., Broker]


@pytest.fixture(params=[name for name, store in STORES.items() if store.durable])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with fresh_url(STORES[request.param], tmp_path) as url:
        yield url


def _queue(broker: Broker, **options: Any) -> Queue:
    return broker.queue("q", **{"retry": Retry(base=0.0), **options})


def test_two_brokers_share_capacity_and_counts(make_broker: Make) -> None:
    here, there = (_queue(make_broker(), capacity=2) for _ in range(2))
    here.push("1")
    there.push("2")
    with pytest.raises(QueueFull):
        here.push("3", timeout=0)
    assert counts(here) == counts(there) == {"ready": 2, "refused": 1, "accepted": 2}
    assert drain(there) == ["1", "2"]
    assert counts(here) == {"acked": 2, "refused": 1, "accepted": 2}


def test_a_lease_that_another_broker_ended_is_lost(make_broker: Make, store_url: str, clock: ManualClock) -> None:
    here = _queue(make_broker(), lease=30.0)
    with Broker(store_url, clock=ManualClock(1000.0)) as other:
        there = _queue(other, lease=30.0)
        here.push("work")
        delivery = there.pull(timeout=0)
        clock.advance(30.0)
        with here.pull(timeout=0) as message:
            assert message.attempts == 2
        with pytest.raises(LeaseLost):
            delivery.ack()
    assert counts(here) == {"acked": 1, "retried": 1, "accepted": 1}


def test_a_lease_of_another_queue_or_broker_settles_nothing(make_broker: Make) -> None:
    here, there = (_queue(make_broker()) for _ in range(2))
    here.push("work")
    delivery = here.pull(timeout=0)
    with pytest.raises(LeaseLost):
        there.ack_many([delivery])
    delivery.ack()
