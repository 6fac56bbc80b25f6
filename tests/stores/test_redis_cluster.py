"""The same program on a Redis Cluster: each queue on a node of its own, nothing else is different."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count

import pytest

from lightbroker import Broker, LeaseLost, Message, Overflow, QueueFull, Retry
from tests import redis_server
from tests.redis_server import RedisCluster
from tests.support import Call, Unavailable, drain, miss, wait_until

QUEUES = [f"q{number}" for number in range(6)]  # enough for each node to have some
_prefixes = count()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    try:
        redis_server.check()
    except Unavailable as error:
        miss(error)
    with RedisCluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def prefix() -> str:
    return f"test{next(_prefixes)}"


@pytest.fixture
def make(cluster: RedisCluster, prefix: str) -> Iterator[Callable[[], Broker]]:
    """Make brokers that share their queues with those of the same test; each comes by another node."""
    nodes = count()
    with ExitStack() as stack:

        def make() -> Broker:
            url = cluster.nodes[next(nodes) % len(cluster.nodes)].url
            broker = Broker(f"{url}?prefix={prefix}")
            stack.callback(broker.close, drain=False)
            return broker

        yield make


def test_queues_live_on_different_nodes(cluster: RedisCluster, make: Callable[[], Broker]) -> None:
    broker = make()
    for name in QUEUES:
        broker.push(name, name)
    for node in cluster.nodes:
        with node.client() as client:
            assert client.dbsize() > 0
    assert [drain(broker.queue(name)) for name in QUEUES] == [[name] for name in QUEUES]


@pytest.mark.parametrize("name", QUEUES)
def test_a_message_lives_its_life(make: Callable[[], Broker], name: str) -> None:
    producer, consumer = make(), make()
    for broker in (producer, consumer):
        broker.queue(name, capacity=2, overflow=Overflow.REJECT, retry=Retry(max_attempts=2, base=0.0))
    producer.push(name, {"n": 1}, headers={"h": "1"})
    producer.push(name, "two")
    with pytest.raises(QueueFull):
        producer.push(name, "three")
    delivery = consumer.pull(name, timeout=0)
    delivery.nack("no", delay=0)
    with pytest.raises(LeaseLost):
        delivery.ack()
    with consumer.pull(name, timeout=0) as message:
        assert message.text == "two"
    consumer.pull(name, timeout=0).nack("no", delay=0)
    [letter] = producer.dlq(name)
    assert (letter.message.json(), letter.message.headers["h"], letter.reason) == ({"n": 1}, "1", "max_attempts")
    assert producer.dlq(name).redrive() == 1
    consumer.pull(name, timeout=0).extend(60.0)
    for broker in (producer, consumer):
        broker.check()
        stats = broker.queue(name, capacity=2, overflow=Overflow.REJECT, retry=Retry(max_attempts=2, base=0.0)).stats()
        assert (stats.accepted, stats.leased, stats.acked, stats.refused) == (2, 1, 1, 1)


def test_batches_and_delays(make: Callable[[], Broker]) -> None:
    broker = make()
    for name in QUEUES:
        queue = broker.queue(name, capacity=None)
        assert len(queue.push_many(range(2500))) == 2500
        assert len(queue.push_many(range(10), delay=0.05)) == 10
        while queue.stats().held:
            queue.ack_many(queue.pull_many(1000, timeout=10.0))
        assert queue.stats().acked == 2510
    broker.check()


def test_a_pull_is_woken_by_another_process(make: Callable[[], Broker]) -> None:
    consumer, producer = make(), make()
    pulls = [Call(consumer.pull, name, 60.0) for name in QUEUES]
    assert all(pull.blocks() for pull in pulls)
    for name in QUEUES:
        producer.push(name, name)
    assert [pull.result().message.text for pull in pulls] == QUEUES


def test_workers_work_off_all_queues(make: Callable[[], Broker]) -> None:
    broker, producer, done = make(), make(), []

    def handle(message: Message) -> None:
        done.append(message.text)

    pools = [broker.workers(name, handle, workers=2) for name in QUEUES]
    for number in range(60):
        producer.push(QUEUES[number % len(QUEUES)], str(number))
    wait_until(lambda: len(done) == 60)
    for pool in pools:
        pool.stop()
    assert sorted(map(int, done)) == list(range(60))
    broker.check()


def test_a_queue_may_move_to_another_node(cluster: RedisCluster, prefix: str, make: Callable[[], Broker]) -> None:
    producer, consumer = make(), make()
    producer.push("q", "1")
    pull = Call(consumer.pull, "q", 60.0)
    first = pull.result()
    pull = Call(consumer.pull, "q", 60.0)
    assert pull.blocks()
    cluster.move(f"{{{prefix}:q}}")
    producer.push("q", "2")
    assert pull.result().message.text == "2"
    first.ack()
    producer.check()


def test_topics_may_move_to_another_node(
    cluster: RedisCluster, prefix: str, make: Callable[[], Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightbroker.stores.redis.topics.CHECK_INTERVAL", 0.1)
    publisher, listener = make(), make()
    subscription = listener.subscribe("a")
    assert publisher.publish("a", "1") == 1
    cluster.move(f"{{{prefix}: topics}}")
    wait_until(lambda: publisher.publish("a", "2") == 1)
    while subscription.get(10.0).text != "2":
        pass


def test_topics_cross_processes(make: Callable[[], Broker]) -> None:
    publisher, first, second = make(), make(), make()
    alone = [broker.subscribe("chain.*") for broker in (first, second)]
    members = [broker.subscribe("chain.>", group="g") for broker in (first, second)]
    for name in QUEUES:
        first.bind("chain.*", name)
        second.bind("chain.heads", name)
    for number in range(10):
        assert publisher.publish("chain.heads", str(number)) == 2 + 1 + len(QUEUES)
    for subscription in alone:
        assert [subscription.get(10.0).text for _ in range(10)] == list("0123456789")
    wait_until(lambda: [member.stats().received for member in members] == [5, 5])
    assert [drain(publisher.queue(name)) for name in QUEUES] == [list("0123456789")] * len(QUEUES)
    second.close()
    assert publisher.publish("chain.heads", "x") == 1 + 1 + len(QUEUES)
