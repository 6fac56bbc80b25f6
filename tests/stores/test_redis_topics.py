"""Topics over Redis cross processes; two brokers on one URL are to each other what two processes are."""

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from lightbroker import Broker, ManualClock, Overflow, QueueEmpty, Retry, StoreError, Subscription
from tests.contract.stores import STORES, fresh_url
from tests.redis_server import RedisServer, shared_server
from tests.support import Call, counts, drain, wait_until

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0  # seconds for what another process or a server does
SILENCE = 0.2  # seconds without a message after which none is expected


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with fresh_url(STORES["redis"], tmp_path) as url:
        yield url


@pytest.fixture
def make(url: str) -> Iterator[Callable[..., Broker]]:
    """Make brokers, each as if it were in a process of its own."""
    with ExitStack() as stack:

        def make(at: str = url, **options: Any) -> Broker:
            broker = Broker(at, **options)
            stack.callback(broker.close, drain=False)
            return broker

        yield make


@pytest.fixture
def own_server(redis_installed: None, tmp_path: Path) -> Iterator[RedisServer]:
    """A server that the test may kill."""
    with RedisServer(tmp_path) as server:
        yield server


def read(subscription: Subscription, many: int) -> list[str]:
    """Return the bodies of the next messages, and see that there are no more."""
    bodies = [subscription.get(timeout=PATIENCE).text for _ in range(many)]
    with pytest.raises(QueueEmpty):
        subscription.get(timeout=SILENCE if many == 0 else 0)
    return bodies


# Who gets what


@pytest.mark.parametrize(
    ("pattern", "topic", "matches"),
    [
        ("chain.heads", "chain.heads", True),
        ("chain.*", "chain.heads", True),
        ("chain.*", "chain.heads.new", False),
        ("chain.>", "chain.heads.new", True),
        ("chain.>", "chain", False),
        ("*.heads", "chain.heads", True),
        ("a*", "ab", False),
        ("a[b]?", "ab", False),
        ('"\\', '"\\', True),
        ("цепь.*", "цепь.голова", True),
    ],
)
def test_a_pattern_matches_what_another_process_publishes(
    make: Callable[..., Broker], pattern: str, topic: str, matches: bool
) -> None:
    subscription = make().subscribe(pattern)
    assert make().publish(topic, "a") == matches
    assert read(subscription, int(matches)) == ["a"] * matches


def test_a_message_crosses_unchanged(make: Callable[..., Broker]) -> None:
    subscription = make().subscribe("a.*")
    publisher = make(clock=ManualClock(1000.0))
    own = publisher.subscribe("a.b")
    body, headers = bytes(range(256)) + b"\n\n\r\n", {"h": 'ü\n"', "topic": "mine"}
    publisher.publish("a.b", body, headers=headers)
    publisher.publish("a.b", {"n": [1, None]})
    for here, there in zip((own.get(0), own.get(0)), (subscription.get(PATIENCE), subscription.get(PATIENCE))):
        assert (there.id, there.body, there.timestamp, dict(there.headers), there.attempts) == (
            *(here.id, here.body, here.timestamp, dict(here.headers), 1),
        )
    assert there.json() == {"n": [1, None]}
    assert here.timestamp == publisher.clock.time()


def test_each_subscription_of_a_process_gets_one_copy_however_patterns_overlap(make: Callable[..., Broker]) -> None:
    elsewhere = make()
    subscriptions = [elsewhere.subscribe(pattern) for pattern in ("a.b", "a.*", ">", "a.b", "a.c")]
    assert make().publish("a.b", "x") == 1  # a process that was sent to
    assert [read(subscription, many) for subscription, many in zip(subscriptions, (1, 1, 1, 1, 0))] == [["x"]] * 4 + [
        []
    ]


def test_publish_counts_copies_here_and_processes_elsewhere(make: Callable[..., Broker]) -> None:
    publisher, *others = (make() for _ in range(3))
    publisher.bind("a", "q")
    assert publisher.publish("a", "x") == 1
    kept = [broker.subscribe("a") for broker in (publisher, publisher, *others, *others)]
    assert publisher.publish("a", "x") == 1 + 2 + 2
    kept += [broker.subscribe("a", group=group) for broker in others for group in ("g", "h")]
    assert publisher.publish("a", "x") == 1 + 2 + 2 + 2
    assert others[0].publish("b", "x") == 0
    assert len(kept) == 10


def test_subscribing_and_leaving_changes_who_gets_what_at_once(make: Callable[..., Broker]) -> None:
    publisher, other = make(), make()
    for _ in range(3):
        subscription = other.subscribe("a.*")
        assert publisher.publish("a.b", "1") == 1
        assert read(subscription, 1) == ["1"]
        subscription.close()
        assert publisher.publish("a.b", "2") == 0


def test_messages_of_one_publisher_come_in_its_order(make: Callable[..., Broker]) -> None:
    subscription = make().subscribe("a.*", capacity=None)
    publisher = make()
    for number in range(200):
        publisher.publish(f"a.{number % 3}", str(number))
    assert read(subscription, 200) == [str(number) for number in range(200)]


def test_many_publishers_and_subscribers_lose_and_double_nothing(make: Callable[..., Broker]) -> None:
    brokers = [make() for _ in range(3)]
    subscriptions = [broker.subscribe("a.>", capacity=None) for broker in brokers for _ in range(2)]
    everyone = [f"{thread}-{number}" for thread in range(6) for number in range(50)]

    def publish(thread: int) -> None:
        for number in range(50):
            assert brokers[thread % 3].publish(f"a.{thread}", f"{thread}-{number}") == 4

    for call in [Call(publish, thread) for thread in range(6)]:
        call.result()
    for subscription in subscriptions:
        assert sorted(read(subscription, 300)) == sorted(everyone)


def test_brokers_of_another_prefix_hear_nothing(make: Callable[..., Broker], url: str) -> None:
    stranger = make(f"{url}0")
    subscription = stranger.subscribe(">")
    stranger.bind(">", "q")
    assert make().publish("a", "x") == 0
    assert read(subscription, 0) == []
    assert counts(stranger.queue("q")) == {}


# Buffers


def test_a_slow_subscriber_drops_in_its_own_process_and_the_others_get_everything(make: Callable[..., Broker]) -> None:
    slow = make().subscribe("a", capacity=2)
    quick = make().subscribe("a")
    publisher = make()
    for number in range(5):
        assert publisher.publish("a", str(number)) == 2
    assert read(quick, 5) == list("01234")
    wait_until(lambda: slow.dropped == 3)
    assert read(slow, 2) == ["3", "4"]


def test_a_subscriber_that_blocks_holds_up_no_publisher_of_another_process(make: Callable[..., Broker]) -> None:
    slow, quick = make().subscribe("a", capacity=1, overflow=Overflow.BLOCK), make().subscribe("a")
    publisher = make()
    for number in range(5):
        assert publisher.publish("a", str(number)) == 2
    assert read(quick, 5) == list("01234")
    assert [slow.get(PATIENCE).text for _ in range(5)] == list("01234")


# Groups


def test_each_message_goes_to_one_member_of_a_group_wherever_they_are(make: Callable[..., Broker]) -> None:
    brokers = [make() for _ in range(3)]
    members = [broker.subscribe("a.*", group="g", capacity=None) for broker in (*brokers, brokers[0])]
    alone = brokers[1].subscribe("a.*", capacity=None)
    for number in range(40):
        assert brokers[number % 3].publish("a.b", str(number)) == 2
    numbers = sorted(map(str, range(40)))
    assert sorted(read(alone, 40)) == numbers
    wait_until(lambda: sum(member.stats().received for member in members[:3]) == 40)
    shares = [member.stats().received for member in members[:3]]
    assert shares == [20, 10, 10]  # two members, one, one
    assert sorted(body for member, share in zip(members, shares) for body in read(member, share)) == numbers


def test_groups_of_another_name_or_pattern_are_others(make: Callable[..., Broker]) -> None:
    members, other = make(), make()
    groups = [members.subscribe(pattern, group=name) for pattern, name in (("a.b", "g"), ("a.b", "h"), ("a.*", "g"))]
    assert other.publish("a.b", "x") == 3
    assert [read(group, 1) for group in groups] == [["x"]] * 3


def test_a_member_that_leaves_leaves_the_turns_to_the_others(make: Callable[..., Broker]) -> None:
    publisher = make()
    first, second = (make().subscribe("a", group="g") for _ in range(2))
    first.close()
    assert [publisher.publish("a", str(number)) for number in range(3)] == [1] * 3
    assert read(second, 3) == list("012")
    second.close()
    assert publisher.publish("a", "x") == 0


def test_a_member_that_left_while_redis_refused_to_know_gets_no_more_turns(
    own_server: RedisServer, make: Callable[..., Broker]
) -> None:
    leaving, staying, publisher = (make(own_server.url) for _ in range(3))
    members = [leaving.subscribe(pattern, group="g") for pattern in ("a", "b")]
    other = staying.subscribe("a", group="g", capacity=None)
    with own_server.client() as client:
        client.config_set("min-replicas-to-write", 1)
        members[0].close()
        client.config_set("min-replicas-to-write", 0)
    members[1].close()
    relay: Any = leaving._topics._relay  # type: ignore[attr-defined]
    assert relay._list_all()  # what the next look does, which finds nothing that Redis has forgotten
    assert not relay._turns
    assert sum(publisher.publish("a", str(number)) for number in range(10)) == 10
    assert read(other, 10) == list("0123456789")


def test_a_process_that_could_not_subscribe_gets_no_turns_though_redis_listed_it(
    make: Callable[..., Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing, staying, publisher = (make() for _ in range(3))
    other = staying.subscribe("a", group="g", capacity=None)
    relay: Any = failing._topics._relay  # type: ignore[attr-defined]
    run = relay._connections.run

    def lose_the_reply(*arguments: Any) -> None:
        run(*arguments)
        raise StoreError("the reply was lost")

    with monkeypatch.context() as patch:
        patch.setattr(relay._connections, "run", lose_the_reply)
        with pytest.raises(StoreError, match="was lost"):
            failing.subscribe("a", group="g")
    assert relay._list_all()
    assert sum(publisher.publish("a", str(number)) for number in range(10)) == 10
    assert read(other, 10) == list("0123456789")


# Bindings


def test_a_bound_queue_gets_one_copy_in_how_many_processes_it_is_bound(make: Callable[..., Broker]) -> None:
    for pattern in ("a.*", "a.b", ">"):
        for _ in range(2):
            make().bind(pattern, "q")
    publisher = make()
    assert publisher.publish("a.b", "x", headers={"h": "1"}) == 1
    delivery = make().pull("q", timeout=0)
    assert (delivery.message.text, dict(delivery.message.headers)) == ("x", {"h": "1", "topic": "a.b"})
    assert counts(publisher.queue("q")) == {"leased": 1, "accepted": 1}


def test_a_binding_outlives_the_process_that_made_it(make: Callable[..., Broker]) -> None:
    binder = make()
    binder.bind("a", "q")
    binder.close()
    assert make().publish("a", "x") == 1
    assert drain(make().queue("q")) == ["x"]


def test_whoever_publishes_pushes_as_the_bound_queue_was_declared(make: Callable[..., Broker]) -> None:
    binder, publisher = make(), make()
    options = {
        "capacity": 1,
        "overflow": Overflow.DROP_NEWEST,
        "ttl": 60.0,
        "retry": Retry(2, seed=3),
        "dead_capacity": None,
    }
    binder.queue("q", **options)  # type: ignore[arg-type]
    binder.bind("a", "q")
    assert [publisher.publish("a", str(number)) for number in range(2)] == [1, 0]
    assert publisher.queue("q", **options).options == binder.queue("q", **options).options  # type: ignore[arg-type]
    assert counts(binder.queue("q", **options)) == {"ready": 1, "accepted": 2, "dropped": 1}  # type: ignore[arg-type]


def test_a_full_bound_queue_keeps_nothing_from_the_others(make: Callable[..., Broker]) -> None:
    binder, publisher = make(), make()
    binder.queue("q", capacity=1, overflow=Overflow.REJECT)
    binder.bind("a", "q")
    subscription = binder.subscribe("a")
    assert [publisher.publish("a", str(number)) for number in range(2)] == [2, 1]
    assert read(subscription, 2) == ["0", "1"]


def test_bound_queues_that_cannot_be_used_keep_nothing_from_the_others(make: Callable[..., Broker], url: str) -> None:
    binder, publisher = make(), make()
    queues = [binder.queue(name) for name in ("p", "q", "r")]
    for queue in queues:
        binder.bind("a", queue.name)
    own, other = publisher.subscribe("a"), binder.subscribe("a")
    publisher.queue("q")
    with shared_server().client() as client:
        tags = [f"{{{url.rpartition('=')[2]}:{name}}}" for name in "pq"]
        client.delete(tags[0])
        client.set(tags[0], "so that the publisher cannot open it")
        client.set(f"{tags[1]}:messages", "so that it can push nothing")
        with pytest.raises(StoreError, match="of another program|another program has put"):
            publisher.publish("a", "x")
        client.delete(tags[0], f"{tags[1]}:messages")
    assert [read(subscription, 1) for subscription in (own, other)] == [["x"]] * 2
    assert drain(queues[2]) == ["x"]
    assert publisher.publish("a", "y") == 5  # three queues, a subscriber here, and a process


# What goes wrong


def test_a_message_that_makes_no_sense_is_passed_over(
    make: Callable[..., Broker], caplog: pytest.LogCaptureFixture
) -> None:
    subscription = make().subscribe("a")
    publisher = make()
    publisher.publish("a", "1")
    with shared_server().client() as client:
        [inbox] = client.pubsub_channels("*inbox*")
        for garbage in (b"", b"\x80\x04N.", b'["all", "a"]\n[]\n', b'["all", "a"]\n["c", "i", 1.0, {}]\n'):
            assert client.publish(inbox, garbage) == 1
    publisher.publish("a", "2")
    assert read(subscription, 2) == ["1", "2"]
    assert caplog.text.count("makes no sense") == 4


def test_a_process_that_redis_forgot_is_listed_again(
    make: Callable[..., Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightbroker.stores.redis.topics.CHECK_INTERVAL", 0.05)
    binder, publisher = make(), make()
    binder.bind("a", "q")
    subscription = binder.subscribe("a")
    assert publisher.publish("a", "1") == 2
    with shared_server().client() as client:
        client.flushall()
    wait_until(lambda: publisher.publish("a", "2") == 2)
    while subscription.get(PATIENCE).text != "2":
        pass


def test_what_is_published_as_soon_as_a_process_is_listed_again_is_not_lost(
    make: Callable[..., Broker], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("lightbroker.stores.redis.topics.CHECK_INTERVAL", 0.05)
    listener, publisher = make(), make()
    subscription = listener.subscribe("a")
    relay: Any = listener._topics._relay  # type: ignore[attr-defined]
    list_all, numbers = relay._list_all, count(1)

    def list_slowly() -> bool:
        """Publish before the thread that listens can do anything about what it found."""
        listed: bool = list_all()
        if not listed:
            assert publisher.publish("a", str(next(numbers))) == 1
        return listed

    monkeypatch.setattr(relay, "_list_all", list_slowly)
    with shared_server().client() as client:
        client.flushall()
    assert subscription.get(PATIENCE).text == "1"
    assert "had forgotten this process" in caplog.text


def test_a_subscriber_comes_back_after_an_outage_and_says_what_it_missed(
    own_server: RedisServer,
    make: Callable[..., Broker],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lightbroker.stores.redis.call_retries.PATIENCE", 0.3)
    listener, publisher = make(own_server.url), make(own_server.url)
    listener.bind("a", "q")
    own = publisher.subscribe("a")
    subscription, member = listener.subscribe("a", capacity=None), listener.subscribe("a", group="g", capacity=None)
    assert publisher.publish("a", "before") == 4
    own_server.kill()
    with pytest.raises(StoreError, match="cannot be reached"):
        publisher.publish("a", "lost")
    with pytest.raises(StoreError):
        publisher.subscribe("a")
    own_server.start()
    wait_until(lambda: "lost" in caplog.text and caplog.text.count("connected again") == 2)
    assert publisher.publish("a", "after") == 4
    assert [read(one, 2) for one in (own, subscription, member)] == [["before", "after"]] * 3
    assert len(publisher.stats().subscriptions) == 1


def test_a_publish_whose_reply_was_lost_is_not_sent_again(
    own_server: RedisServer, make: Callable[..., Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    subscription = make(own_server.url).subscribe("a")
    monkeypatch.setattr("lightbroker.stores.redis.connections.REPLY_TIMEOUT", 0.1)
    publisher = make(own_server.url)
    assert publisher.publish("a", "1") == 1
    own_server.pause()
    with pytest.raises(StoreError, match="may have been done or not"):
        publisher.publish("a", "2")
    own_server.resume()
    assert publisher.publish("a", "3") == 1
    assert read(subscription, 3) == ["1", "2", "3"]


def test_a_connection_that_redis_closed_while_it_was_idle_costs_no_message(
    own_server: RedisServer, make: Callable[..., Broker]
) -> None:
    publisher = make(own_server.url)
    publisher.publish("a", "x")
    with own_server.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)
    assert publisher.publish("a", "x") == 0


def test_closing_ends_the_listening_at_once(url: str) -> None:
    broker = Broker(url)
    broker.subscribe("a")
    slow = broker.subscribe("a", capacity=1, overflow=Overflow.BLOCK)
    with Broker(url) as publisher:
        for _ in range(3):
            publisher.publish("a", "x")
    wait_until(lambda: slow.stats().buffered == 1)
    broker.close()
    wait_until(lambda: not any(thread.name == "lightbroker-topics" for thread in threading.enumerate()))
    with shared_server().client() as client:
        assert client.pubsub_channels("*inbox*") == []


# Processes


@pytest.fixture
def start(url: str) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    with ExitStack() as stack:

        def start(verb: str, *words: str) -> "subprocess.Popen[str]":
            command = (sys.executable, "-m", "tests.stores.topic_processes", verb, url, *words)
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            stack.enter_context(process)
            stack.callback(process.kill)  # runs before the wait that leaving the process is
            if verb == "listen":
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
            return process

        yield start


def _lines(process: "subprocess.Popen[str]", many: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().rstrip("\n") for _ in range(many)]


def test_processes_hear_each_other(start: Callable[..., "subprocess.Popen[str]"]) -> None:
    listeners = [start("listen", "chain.*") for _ in range(2)]
    members = [start("listen", "chain.>", "g") for _ in range(2)]
    publishers = [start("publish", topic, "20") for topic in ("chain.heads", "chain.gaps", "other")]
    assert [publisher.wait(PATIENCE) for publisher in publishers] == [0] * 3
    everything = Counter(f"{topic} {number}" for topic in ("chain.heads", "chain.gaps") for number in range(20))
    for listener in listeners:
        assert Counter(_lines(listener, 40)) == everything
    assert Counter(_lines(members[0], 20) + _lines(members[1], 20)) == everything


def test_a_killed_process_is_forgotten_and_its_turns_go_to_others(
    start: Callable[..., "subprocess.Popen[str]"], make: Callable[..., Broker]
) -> None:
    doomed = [start("listen", "a"), start("listen", "a", "g")]
    member = make().subscribe("a", group="g", capacity=None)
    publisher = make()
    assert publisher.publish("a", "x") == 2
    for process in doomed:
        process.kill()
        process.wait(PATIENCE)
    before = member.stats().received
    wait_until(lambda: publisher.publish("a", "y") == 1)
    for _ in range(10):
        assert publisher.publish("a", "z") == 1
    wait_until(lambda: member.stats().received >= before + 11)
    with shared_server().client() as client:
        [registry] = [key for key in client.scan_iter("*topics}*") if client.type(key) == b"hash"]
        assert set(client.hkeys(registry)) == {b"version", b'["group", "a", "g"]'}
