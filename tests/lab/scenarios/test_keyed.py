"""Messages with keys through worker processes: each arrives once and in order, and a failed worker ends the run."""

from itertools import pairwise

import pytest

from lightbroker.lab.measure.audit import audit, make_bodies
from lightbroker.lab.peers.lightbroker_stores import LightRedis
from lightbroker.lab.scenarios import keyed
from lightbroker.lab.scenarios.keyed import Handled
from tests.lab.peers.available import chosen

BODIES = make_bodies(60)
PLACES = [index % 3 % 2 for index in range(len(BODIES))]  # two thirds in partition 0


def arrived(found: list[Handled]) -> None:
    assert audit(len(BODIES), [handled.body for handled in found], None).clean
    assert [handled.started for handled in found] == sorted(handled.started for handled in found)
    assert all(handled.planned <= handled.pushed for handled in found)
    assert all(handled.planned <= handled.started < handled.ended for handled in found)


@pytest.mark.parametrize("offsets_ns", [None, [2_000_000 * index for index in range(len(BODIES))]])
def test_a_worker_for_each_partition_keeps_the_order_within_it(offsets_ns: list[int] | None) -> None:
    chosen("LightBroker Redis")
    with LightRedis.home() as url:
        found = keyed.run(url, BODIES, PLACES, [0, 1], 0.001, offsets_ns)
    arrived(found)
    for place in (0, 1):
        own = [handled for handled in found if PLACES[BODIES.index(handled.body)] == place]
        assert {handled.worker for handled in own} == {place}
        assert [handled.body for handled in own] == [body for body, its in zip(BODIES, PLACES) if its == place]
        assert all(one.ended <= other.started for one, other in pairwise(own))


def test_workers_that_share_a_queue_share_its_messages() -> None:
    chosen("LightBroker Redis")
    with LightRedis.home() as url:
        found = keyed.run(url, BODIES, [0] * len(BODIES), [0, 0], 0.005)
    arrived(found)
    assert {handled.worker for handled in found} == {0, 1}


def test_a_worker_that_cannot_work_ends_the_run() -> None:
    chosen("LightBroker Redis")
    with LightRedis.home() as url, pytest.raises(TypeError):
        keyed.run(url, BODIES, PLACES, [0, 1], "soon")  # type: ignore[arg-type]
