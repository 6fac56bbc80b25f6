"""Publish and subscribe: who gets what, and that nobody slows the others."""

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lightbroker import Broker, ManualClock, Overflow, QueueClosed, QueueEmpty, StoreError, Subscription
from tests.contract.stores import STORES, fresh_url
from tests.support import Call, counts, drain

pytestmark = pytest.mark.usefixtures("switching")


@pytest.fixture(params=["memory", "redis"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A store without topics of its own, and one that carries them between processes."""
    if request.param == "redis":  # or what its thread does every few seconds counts as memory of those who left
        monkeypatch.setattr("lightbroker.stores.redis.topics.CHECK_INTERVAL", 3600.0)
    with fresh_url(STORES[request.param], tmp_path) as url:
        yield url


def read(subscription: Subscription) -> list[str]:
    """Return the bodies that are buffered."""
    bodies = []
    try:
        while True:
            bodies.append(subscription.get(timeout=0).text)
    except QueueEmpty:
        return bodies


@pytest.mark.parametrize(
    ("pattern", "topic", "matches"),
    [
        ("chain.heads", "chain.heads", True),
        ("chain.heads", "chain.heads.new", False),
        ("chain.heads", "chain", False),
        ("chain.heads", "chain.Heads", False),
        ("chain.*", "chain.heads", True),
        ("chain.*", "chain", False),
        ("chain.*", "chain.heads.new", False),
        ("*.heads", "chain.heads", True),
        ("*.*", "chain.heads", True),
        ("*", "chain", True),
        ("*", "chain.heads", False),
        ("a.*.c", "a.b.c", True),
        ("a.*.c", "a.b.d", False),
        (">", "chain", True),
        (">", "chain.heads.new", True),
        ("chain.>", "chain.heads.new", True),
        ("chain.>", "chain.heads", True),
        ("chain.>", "chain", False),
        ("*.>", "chain", False),
        ("*.>", "chain.heads.new", True),
        ("a.*.>", "a.b.c.d", True),
        ("a.*.>", "a.b", False),
        ("a*", "ab", False),
        ("a*", "a*", True),
        ("цепь.*", "цепь.голова", True),
    ],
)
def test_a_pattern_matches_as_in_nats(broker: Broker, pattern: str, topic: str, matches: bool) -> None:
    subscription = broker.subscribe(pattern)
    assert broker.publish(topic, "a") == matches
    assert read(subscription) == ["a"] * matches


def test_each_subscription_gets_one_copy_however_patterns_overlap(broker: Broker) -> None:
    patterns = ["a.b", "a.*", "*.b", "*.*", "a.>", ">", "a.b", "a.c", "b.>"]
    subscriptions = [broker.subscribe(pattern) for pattern in patterns]
    assert broker.publish("a.b", "x") == 7
    assert [read(subscription) for subscription in subscriptions] == [["x"]] * 7 + [[], []]


def test_without_a_listener_a_message_goes_nowhere(broker: Broker) -> None:
    assert broker.publish("a.b", "x") == 0
    assert read(broker.subscribe("a.b")) == []


def test_a_published_message_says_where(broker: Broker, clock: ManualClock) -> None:
    first, second = broker.subscribe("a.*"), broker.subscribe("a.b")
    broker.publish("a.b", {"n": 1}, headers={"h": "1", "topic": "mine"})
    message = first.get(timeout=0)
    assert (message.json(), dict(message.headers), message.attempts) == ({"n": 1}, {"h": "1", "topic": "a.b"}, 1)
    assert message.timestamp == clock.time()
    assert second.get(timeout=0).id == message.id


def test_messages_come_in_the_order_of_publishing(broker: Broker) -> None:
    subscription = broker.subscribe("a.*")
    for number in range(6):
        broker.publish(f"a.{number % 2}", str(number))
    assert read(subscription) == list("012345")


def test_subscribing_and_leaving_changes_who_gets_what_at_once(broker: Broker) -> None:
    first = broker.subscribe("a.*")
    assert broker.publish("a.b", "1") == 1
    second = broker.subscribe("a.b")
    assert broker.publish("a.b", "2") == 2
    first.close()
    assert broker.publish("a.b", "3") == 1
    second.close()
    assert broker.publish("a.b", "4") == 0


@pytest.mark.parametrize(
    ("policy", "kept", "dropped"),
    [
        (Overflow.DROP_OLDEST, ["3", "4"], 3),
        (Overflow.DROP_NEWEST, ["0", "1"], 3),
        (Overflow.REJECT, ["0", "1"], 0),
    ],
)
def test_a_slow_subscriber_follows_its_policy_and_the_others_get_everything(
    broker: Broker, policy: Overflow, kept: list[str], dropped: int
) -> None:
    slow, quick = broker.subscribe("a", capacity=2, overflow=policy), broker.subscribe("a")
    copies = [broker.publish("a", str(number)) for number in range(5)]
    assert read(quick) == list("01234")
    assert (read(slow), slow.dropped) == (kept, dropped)
    assert sum(copies) == 5 + (5 if policy is Overflow.DROP_OLDEST else 2)
    stats = slow.stats()
    assert (stats.capacity, stats.received, stats.delivered) == (2, 5 - stats.refused, 2)
    assert stats.refused == (3 if policy is Overflow.REJECT else 0)


def test_a_subscriber_that_chose_block_makes_the_publisher_wait(broker: Broker) -> None:
    slow = broker.subscribe("a", capacity=1, overflow=Overflow.BLOCK)
    broker.publish("a", "1")
    publish = Call(broker.publish, "a", "2")
    assert publish.blocks()
    assert slow.get(timeout=0).text == "1"
    assert publish.result() == 1
    assert read(slow) == ["2"]


def test_a_slow_subscriber_that_leaves_lets_every_publisher_go_on(broker: Broker) -> None:
    slow = broker.subscribe("a", capacity=1, overflow=Overflow.BLOCK)
    broker.publish("a", b"")
    calls = [Call(broker.publish, "a", b"") for _ in range(3)]
    assert all(call.blocks() for call in calls)
    slow.close()
    assert [call.result() for call in calls] == [0, 0, 0]


def test_closing_a_blocking_subscriber_lets_the_publisher_go(broker: Broker) -> None:
    slow, other = broker.subscribe("a", capacity=1, overflow=Overflow.BLOCK), broker.subscribe("a")
    broker.publish("a", "1")
    publish = Call(broker.publish, "a", "2")
    assert publish.blocks()
    slow.close()
    assert publish.result() == 1
    assert read(other) == ["1", "2"]


def test_members_of_a_group_share_one_stream(broker: Broker) -> None:
    members = [broker.subscribe("a", group="g") for _ in range(2)]
    alone = broker.subscribe("a")
    assert [broker.publish("a", str(number)) for number in range(4)] == [2] * 4
    assert [member.get(timeout=0).text for member in (members[0], members[1], members[1], members[0])] == list("0123")
    assert read(members[0]) == read(members[1]) == []
    assert read(alone) == list("0123")


def test_groups_of_another_name_or_pattern_are_others(broker: Broker) -> None:
    subscriptions = [
        broker.subscribe("a.b", group="g"),
        broker.subscribe("a.b", group="h"),
        broker.subscribe("a.*", group="g"),
    ]
    assert broker.publish("a.b", "x") == 3
    assert [read(subscription) for subscription in subscriptions] == [["x"]] * 3


def test_a_member_that_leaves_leaves_its_messages_to_the_others(broker: Broker) -> None:
    first, second = (broker.subscribe("a", group="g") for _ in range(2))
    broker.publish("a", "1")
    first.close()
    assert read(second) == ["1"]
    with pytest.raises(QueueClosed):
        first.get(timeout=0)
    assert broker.publish("a", "2") == 1


def test_a_member_with_other_options_is_refused(broker: Broker) -> None:
    broker.subscribe("a", capacity=5, group="g")
    with pytest.raises(ValueError, match="group 'g'"):
        broker.subscribe("a", capacity=6, group="g")
    assert broker.publish("a", "x") == 1


def test_get_waits_for_a_message(broker: Broker) -> None:
    subscription = broker.subscribe("a")
    calls = [Call(subscription.get), Call(subscription.get, 60.0)]
    assert all(call.blocks() for call in calls)
    broker.publish("a", "1")
    broker.publish("a", "2")
    assert sorted(call.result().text for call in calls) == ["1", "2"]


@pytest.mark.parametrize("timeout", [0, 0.01])
def test_get_says_that_nothing_came_in_time(broker: Broker, timeout: float) -> None:
    with pytest.raises(QueueEmpty, match="'a'"):
        broker.subscribe("a").get(timeout=timeout)


@pytest.mark.parametrize("group", [None, "g"])
@pytest.mark.parametrize("close", ["subscription", "broker"])
def test_closing_wakes_every_reader(broker: Broker, group: str | None, close: str) -> None:
    subscription = broker.subscribe("a", group=group)
    other = broker.subscribe("a", group=group)
    gets = [Call(subscription.get), Call(subscription.get, 60.0)]
    everything = Call(list, subscription)
    assert all(call.blocks() for call in (*gets, everything))
    (subscription if close == "subscription" else broker).close()
    for get in gets:
        with pytest.raises(QueueClosed):
            get.result()
    assert everything.result() == []
    other.close()


def test_iterating_gives_every_message_until_it_is_closed(broker: Broker) -> None:
    with broker.subscribe("a") as subscription:
        for number in range(3):
            broker.publish("a", str(number))
        seen = []
        for message in subscription:
            seen.append(message.text)
            if len(seen) == 3:
                subscription.close()
    assert seen == ["0", "1", "2"]


def test_a_subscription_closes_with_its_block_and_twice_without_harm(broker: Broker) -> None:
    with broker.subscribe("a") as subscription:
        pass
    subscription.close()
    assert broker.publish("a", "x") == 0
    with pytest.raises(QueueClosed):
        subscription.get(timeout=0)
    assert broker.stats().subscriptions == ()


def test_a_bound_queue_gets_acks_retries_and_dead_letters(broker: Broker) -> None:
    broker.bind("chain.*", "blocks")
    assert broker.publish("chain.heads", "1", headers={"h": "1"}) == 1
    delivery = broker.pull("blocks", timeout=0)
    assert (delivery.message.text, dict(delivery.message.headers)) == ("1", {"h": "1", "topic": "chain.heads"})
    delivery.nack(delay=0)
    broker.pull("blocks", timeout=0).reject("no")
    assert [letter.message.text for letter in broker.dlq("blocks")] == ["1"]


def test_a_queue_bound_by_several_patterns_that_match_gets_one_copy(broker: Broker) -> None:
    for pattern in ("a.*", "a.b", ">", "a.b"):
        broker.bind(pattern, "q")
    broker.bind("a.>", "r")
    assert broker.publish("a.b", "x") == 2
    assert broker.publish("c", "y") == 1
    assert (drain(broker.queue("q")), drain(broker.queue("r"))) == (["x", "y"], ["x"])


@pytest.mark.parametrize(
    ("policy", "copies", "numbers"),
    [
        (Overflow.REJECT, 1, {"ready": 1, "accepted": 1, "refused": 1}),
        (Overflow.DROP_NEWEST, 1, {"ready": 1, "accepted": 2, "dropped": 1}),
        (Overflow.DROP_OLDEST, 2, {"ready": 1, "accepted": 2, "dropped": 1}),
        (Overflow.DEAD_LETTER, 2, {"ready": 1, "accepted": 2, "dead": 1}),
    ],
)
def test_a_full_bound_queue_keeps_nothing_from_the_others(
    broker: Broker, policy: Overflow, copies: int, numbers: dict[str, int]
) -> None:
    queue = broker.queue("q", capacity=1, overflow=policy)
    broker.bind("a", "q")
    subscription = broker.subscribe("a")
    broker.publish("a", "1")
    assert broker.publish("a", "2") == copies
    assert read(subscription) == ["1", "2"]
    assert counts(queue) == numbers


def test_a_bound_queue_whose_store_cannot_be_used_keeps_nothing_from_the_others(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues = [broker.queue(name) for name in ("p", "q", "r")]
    for queue in queues:
        broker.bind("a", queue.name)
    subscription = broker.subscribe("a")

    def push(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(queues[0], "push", push)
    with pytest.raises(StoreError, match="disk is full"):
        broker.publish("a", "x")
    assert read(subscription) == ["x"]
    assert [drain(queue) for queue in queues] == [[], ["x"], ["x"]]


def test_the_options_of_the_bound_queue_hold(broker: Broker, clock: ManualClock) -> None:
    queue = broker.queue("q", ttl=5.0)
    broker.bind("a", "q")
    broker.publish("a", "x")
    clock.advance(5.0)
    assert counts(queue) == {"expired": 1, "accepted": 1}


def test_the_law_is_checked_for_every_buffer(broker: Broker) -> None:
    subscription = broker.subscribe("a.*", capacity=3, group="g")
    for number in range(5):
        broker.publish("a.b", str(number))
    subscription.get(timeout=0)
    broker.check()
    [stats] = broker.stats().subscriptions
    assert (stats.pattern, stats.group, stats.buffered, stats.capacity) == ("a.*", "g", 2, 3)
    assert (stats.received, stats.delivered, stats.dropped, stats.refused) == (5, 1, 2, 0)


BAD_TOPICS = [
    *[(topic, ValueError) for topic in ("", ".", "a.", ".a", "a..b", "a b", "a\n", "x" * 256)],
    *[(topic, TypeError) for topic in (None, 1, b"a", ["a"])],
]


@pytest.mark.parametrize(("topic", "error"), [*BAD_TOPICS, ("a.*", ValueError), (">", ValueError)], ids=repr)
def test_a_topic_that_makes_no_sense_is_refused(broker: Broker, topic: str, error: type[Exception]) -> None:
    everything = broker.subscribe(">")
    with pytest.raises(error, match="topic"):
        broker.publish(topic, "x")
    assert read(everything) == []


@pytest.mark.parametrize(("pattern", "error"), [*BAD_TOPICS, (">.a", ValueError), ("a.>.b", ValueError)], ids=repr)
def test_a_pattern_that_makes_no_sense_is_refused(broker: Broker, pattern: str, error: type[Exception]) -> None:
    before = broker.stats()
    with pytest.raises(error, match="topic"):
        broker.subscribe(pattern)
    with pytest.raises(error, match="topic"):
        broker.bind(pattern, "new")
    assert broker.stats() == before


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("capacity", 0, ValueError),
        ("capacity", "5", TypeError),
        ("overflow", "drop", TypeError),
        ("overflow", Overflow.DEAD_LETTER, ValueError),
        ("group", "", ValueError),
        ("group", 5, TypeError),
    ],
)
def test_a_subscription_that_makes_no_sense_is_refused(
    broker: Broker, name: str, value: object, error: type[Exception]
) -> None:
    with pytest.raises(error, match=name):
        broker.subscribe("a", **{name: value})  # type: ignore[arg-type]
    assert broker.publish("a", "x") == 0


def test_a_publish_that_makes_no_sense_reaches_nobody(broker: Broker) -> None:
    subscription = broker.subscribe("a")
    with pytest.raises(TypeError, match="body"):
        broker.publish("a", {1})
    with pytest.raises(TypeError, match="headers"):
        broker.publish("a", "x", headers={"a": 1})  # type: ignore[dict-item]
    for timeout, error in ((-1, ValueError), ("1", TypeError)):
        with pytest.raises(error, match="timeout"):
            subscription.get(timeout=timeout)  # type: ignore[arg-type]
    assert read(subscription) == []


@pytest.mark.parametrize("group", [None, "g"])
def test_a_subscriber_that_left_takes_no_memory(broker: Broker, group: str | None) -> None:
    def come_and_go(times: int) -> None:
        for _ in range(times):
            broker.subscribe("a.*", capacity=1, group=group).close()

    tracemalloc.start()  # first: a thread that reads from Redis has its buffer from here to the end
    try:
        come_and_go(200)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        come_and_go(1000)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 50 * 1000  # bytes; an entry in a dict alone takes more, and that thread's next buffer less


def test_more_topics_than_are_remembered_find_their_subscribers(broker: Broker) -> None:
    subscription = broker.subscribe("a.*", capacity=None)
    assert sum(broker.publish(f"a.{number}", "x") for number in range(5000)) == 5000
    assert len(broker._topics._routes) < 5000
    assert len(read(subscription)) == 5000


def test_after_closing_nothing_is_published_or_subscribed(make_broker: Callable[..., Broker]) -> None:
    broker = make_broker()
    broker.queue("q")
    broker.close()
    for call in (
        lambda: broker.publish("a", "x"),
        lambda: broker.subscribe("a"),
        lambda: broker.bind("a", "q"),
        lambda: broker.workers("q", print),
    ):
        with pytest.raises(QueueClosed):
            call()


def test_what_a_subscriber_counted_is_kept_while_others_listen_to_the_same(broker: Broker) -> None:
    def dropped() -> int:
        stats = broker.stats()
        return sum(each.dropped for each in (*stats.subscriptions, *stats.departed))

    first, second, third = (broker.subscribe("chain.*", capacity=1) for _ in range(3))
    other = broker.subscribe("chain.*", capacity=1, group="other")
    for _ in range(3):
        broker.publish("chain.heads", "a")
    assert dropped() == 8
    first.close()
    second.close()
    assert dropped() == 8
    [departed] = broker.stats().departed
    assert (departed.pattern, departed.group, departed.buffered, departed.received) == ("chain.*", None, 0, 6)
    third.close()
    assert broker.stats().departed == ()
    other.close()
    assert broker.stats().departed == broker.stats().subscriptions == ()


def test_whoever_subscribes_while_the_topics_close_is_refused(broker: Broker) -> None:
    broker._topics.close()  # as `close` does, when `subscribe` has looked whether the broker is open
    with pytest.raises(QueueClosed):
        broker.subscribe("a")


def test_headers_that_have_no_room_for_the_topic_reach_nobody(broker: Broker) -> None:
    subscription = broker.subscribe("a")
    broker.bind("a", "q")
    with pytest.raises(ValueError, match="headers have 8198 bytes"):
        broker.publish("a", "x", headers={"k": "v" * 8191})
    assert read(subscription) == []
    assert broker.publish("a", "x", headers={"k": "v" * 8185}) == 2
