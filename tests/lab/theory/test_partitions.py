"""Partitions: a key stays in its partition, a partition is the queue of the theory, a quorum an order statistic."""

import subprocess
import sys

import numpy as np
import pytest

from lightbroker.lab.theory.partitions import hottest, owner, place, quorum, spread, waits, zipf
from lightbroker.lab.theory.queueing import MD1, MM1
from lightbroker.lab.theory.simulation import simulate

KEYS = [f"key-{number}" for number in range(1, 101)]
MESSAGES = 400_000


def test_zipf_is_a_distribution_in_which_key_n_has_an_nth_of_the_first() -> None:
    shares = zipf(100, 1)
    assert shares.sum() == pytest.approx(1)
    assert shares[0] / shares[9] == pytest.approx(10)
    assert zipf(4, 0).tolist() == [0.25] * 4


def test_a_key_has_the_same_partition_in_every_process_whatever_its_salt() -> None:
    command = (
        "from lightbroker.lab.theory.partitions import place; print([place(f'key-{n}', 16) for n in range(1, 101)])"
    )
    found = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, timeout=60, env={"PYTHONHASHSEED": "7"}
    )
    assert found.stdout.strip() == str([place(key, 16) for key in KEYS]), found.stderr


def test_the_partitions_share_what_their_keys_have() -> None:
    found = spread(KEYS, zipf(100, 1), 8)
    assert found.sum() == pytest.approx(1)
    assert found[place("key-1", 8)] >= zipf(100, 1)[0]
    assert spread(KEYS, zipf(100, 1), 1).tolist() == pytest.approx([1.0])
    assert spread(["one"], [1.0], 4)[place("one", 4)] == 1


def test_when_a_member_leaves_only_its_own_partitions_move() -> None:
    members = ["a", "b", "c", "d"]
    before = {partition: owner(partition, members) for partition in range(256)}
    after = {partition: owner(partition, members[:3]) for partition in before}
    assert set(before.values()) == set(members)
    assert all(after[partition] == member for partition, member in before.items() if member != "d")
    assert {after[partition] for partition, member in before.items() if member == "d"} == {"a", "b", "c"}


@pytest.mark.parametrize(("model", "exponential"), [(MM1, True), (MD1, False)])
def test_each_partition_is_a_queue_of_its_own_as_the_theory_says(model: type[MD1], exponential: bool) -> None:
    rng = np.random.default_rng(1)
    shares = np.array([0.5, 0.3, 0.2])
    rate = 1.6
    places = rng.choice(3, MESSAGES, p=shares)
    services = rng.exponential(1, MESSAGES) if exponential else np.ones(MESSAGES)
    found = waits(places, rng.exponential(1 / rate, MESSAGES).cumsum(), services)
    for partition, share in enumerate(shares):
        own, theory = places == partition, model(rate * float(share), 1.0)
        assert found[own].mean() == pytest.approx(theory.wait, rel=0.1)
        for percent in (50, 95, 99):
            responses = found[own] + services[own]
            assert np.percentile(responses, percent) == pytest.approx(theory.percentile(percent), rel=0.1)


def test_one_partition_is_a_single_queue() -> None:
    rng = np.random.default_rng(2)
    arrivals, services = rng.exponential(1, 1_000).cumsum(), rng.exponential(0.9, 1_000)
    assert waits(np.zeros(1_000, int), arrivals, services) == pytest.approx(simulate(arrivals, services).wait)
    assert waits([], [], []).size == 0


@pytest.mark.parametrize("load", [0.3, 0.8])
def test_the_hottest_partition_alone_is_what_it_is_among_the_others(load: float) -> None:
    rng = np.random.default_rng(3)
    theory = MD1(load, 1.0)
    found = hottest(load, [1.0], MESSAGES, rng)
    assert found.mean() == pytest.approx(theory.wait, rel=0.1)
    assert np.percentile(found + 1, 95) == pytest.approx(theory.percentile(95), rel=0.1)
    assert hottest(load, rng.exponential(2, 50_000), MESSAGES, rng).mean() == pytest.approx(
        MM1(load / 2, 2.0).wait, rel=0.1
    )


def test_a_partition_that_is_overloaded_waits_the_longer_the_longer_it_runs() -> None:
    rng = np.random.default_rng(4)
    assert hottest(1.5, [1.0], 1_000, rng)[-1] < hottest(1.5, [1.0], 100_000, rng)[-1] / 10


def test_a_quorum_of_exponential_latencies_has_the_tails_of_order_statistics() -> None:
    latencies = np.random.default_rng(5).exponential(1, (MESSAGES, 3))
    slow = np.exp(-2.0)
    for needed, tail in ((1, slow**3), (2, 3 * slow**2 - 2 * slow**3), (3, 1 - (1 - slow) ** 3)):
        assert (quorum(latencies, needed) > 2).mean() == pytest.approx(tail, rel=0.1)
    assert (quorum(latencies, 3) == latencies.max(axis=1)).all()


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: zipf(0, 1), "keys"),
        (lambda: zipf(3, -1), "exponent"),
        (lambda: spread(KEYS, zipf(100, 1), 0), "partitions"),
        (lambda: waits([0], [0.0, 1.0], [1.0, 1.0]), "as many"),
        (lambda: waits([0, 0], [1.0, 0.0], [1.0, 1.0]), "arrivals"),
        (lambda: hottest(0, [1.0], 10, np.random.default_rng(1)), "load"),
        (lambda: quorum([[1.0, 2.0]], 3), "needed"),
        (lambda: quorum([1.0, 2.0], 1), "needed"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(call: object, named: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=named):
        call()
