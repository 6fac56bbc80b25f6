"""What is Redis's own: the URL, its troubles, connections and replies that are lost, the server's time, round trips."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lightbroker import (
    Broker,
    Delivery,
    LeaseLost,
    ManualClock,
    Message,
    Overflow,
    Queue,
    QueueClosed,
    QueueEmpty,
    QueueFull,
    Retry,
    StoreError,
)
from tests import redis_server
from tests.contract.stores import STORES, fresh_url
from tests.redis_server import RedisServer
from tests.support import PATIENCE, Call, Unavailable, counts, drain, miss, wait_until

try:
    redis_server.library()
except Unavailable as missing:
    if os.environ.get("CI"):
        raise
    pytest.skip(str(missing), allow_module_level=True)

from redis import exceptions

from lightbroker.stores.redis import call_retries, connections, runner
from lightbroker.stores.redis.call_retries import is_from_replica
from lightbroker.stores.redis.commands import SCHEMA_VERSION
from lightbroker.stores.redis.connections import Connections, ServerConnection
from lightbroker.stores.redis.url import read_url

Make = Callable[..., Broker]


@pytest.fixture
def store_url(tmp_path: Path) -> Iterator[str]:
    with fresh_url(STORES["redis"], tmp_path) as url:
        yield url


@pytest.fixture
def client(store_url: str) -> Iterator[Any]:
    with redis_server.shared_server().client() as client:
        yield client


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of the test's own, to do harm to."""
    with _own_server(tmp_path) as server:
        yield server


@contextmanager
def _own_server(folder: Path, *options: str, **how: Any) -> Iterator[RedisServer]:
    try:
        server = RedisServer(folder, *options, **how)
    except Unavailable as error:
        miss(error)
    with server:
        yield server


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let patience end soon."""
    monkeypatch.setattr(call_retries, "PATIENCE", 0.3)
    monkeypatch.setattr(connections, "OPENING", 0.1)


def _queue(broker: Broker, **options: Any) -> Queue:
    return broker.queue("q", **{"retry": Retry(base=0.0), **options})


# The URL


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("redis://", "names no server"),
        ("redis:///0", "names no server"),
        ("redis://host#x", "names no server"),
        ("redis://host:port/0", "'redis://host:port/0'.*port"),
        ("redis://host:66000", "[Pp]ort"),
        ("redis://host/name", "database must be a number, not 'name'"),
        ("redis://host/-1", "database must be a number"),
        ("redis://host/0?prefx=a", "unknown option prefx; there is: prefix"),
        ("redis://host/0?prefix=", "prefix must be 1 to 64"),
        ("redis://host/0?prefix=a:b", "prefix must be .* not 'a:b'"),
        ("redis://host/0?prefix={a}", "prefix must be"),
    ],
)
def test_a_url_that_makes_no_sense_is_refused(url: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Broker(url)


def test_a_url_says_where_and_who() -> None:
    address = read_url("rediss://us%40er:p%2Fw%3A@[::1]:7000/3?prefix=my-app_1.0")
    assert (address.host, address.port, address.database) == ("::1", 7000, 3)
    assert (address.user, address.password, address.tls, address.prefix) == ("us@er", "p/w:", True, "my-app_1.0")
    plain = read_url("redis://localhost")
    assert (plain.port, plain.database, plain.user, plain.password, plain.tls) == (6379, 0, None, None, False)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:secret@host/x",
        "redis://me:secret@host:x",
        "redis://:secret@127.0.0.1:1/0",
        # not percent-encoded
        "redis://:p/secret@host:6379/0",
        "redis://me:63/secret@host/0",
        "redis://me:63?secret@host/0",
        "redis://me:63#secret@host/0",
        "redis://me:secret/@host/0",
        "redis://me:secret[x@host/0",
        "redis://me:[secret]x@host/0",
        "redis://me:secret\N{ACCOUNT OF}@host/0",
    ],
)
def test_no_error_tells_the_password(url: str, hasty: None) -> None:
    with pytest.raises((ValueError, StoreError)) as caught:
        Broker(url)
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(read_url("redis://:secret@host"))


def test_prefixes_keep_brokers_apart(store_url: str, make_broker: Make) -> None:
    with Broker(f"{store_url}-other") as other:
        other.push("q", "theirs")
        make_broker().push("q", "ours")
        assert drain(_queue(make_broker())) == ["ours"]
        assert counts(other.queue("q")) == {"ready": 1, "accepted": 1}
        other.queue("q").pull(0).ack()


@pytest.mark.parametrize("name", ["a}b", "{a}", "a:ready", "ä🐇", "*"])
def test_a_queue_may_have_any_name(make_broker: Make, name: str) -> None:
    queue, plain = make_broker().queue(name), make_broker().queue("a")
    queue.push("mine")
    plain.push("plain")
    assert (drain(queue), drain(plain)) == (["mine"], ["plain"])
    assert counts(queue) == counts(plain) == {"acked": 1, "accepted": 1}


def test_every_key_of_a_queue_is_in_the_slot_of_its_name(make_broker: Make, client: Any, clock: ManualClock) -> None:
    queue = _queue(make_broker(), capacity=5, lease=10.0)
    queue.push_many(["a", "b", "c"], ttl=100.0)
    queue.push("later", delay=5.0)
    queue.pull(0).nack("once more", delay=1.0)
    queue.pull(0).reject("no")
    queue.pull(0)
    tags = {key.partition(b"}")[0] for key in client.scan_iter()}
    assert len(tags) == 1
    assert tags.pop().endswith(b":q")


# Opening


def test_a_server_that_is_not_there_is_named(hasty: None) -> None:
    with pytest.raises(StoreError, match=r"redis://127\.0\.0\.1:1/0 cannot be reached.*Connection refused"):
        Broker("redis://127.0.0.1:1")


def test_without_its_client_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightbroker.stores.redis.store", None)
    monkeypatch.delattr("lightbroker.stores.redis.store", raising=False)
    with pytest.raises(StoreError, match=r"pip install 'lightbroker\[redis\]'"):
        Broker("redis://localhost")


@pytest.mark.parametrize("user", ["", ":wrong@"])
def test_a_password_is_asked_for_by_name(tmp_path: Path, user: str) -> None:
    with _own_server(tmp_path, password="s3cret") as server:
        with Broker(f"redis://default:s3cr%65t@127.0.0.1:{server.port}") as broker:
            broker.push("q", b"")
        with pytest.raises(StoreError, match="does not take this user and password"):
            Broker(f"redis://{user}127.0.0.1:{server.port}")


def test_tls_needs_a_certificate_that_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hasty: None) -> None:
    with _own_server(tmp_path, tls=True) as server:
        with pytest.raises(StoreError, match="certificate verify failed|CERTIFICATE_VERIFY_FAILED"):
            Broker(server.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(server.ca))
        with Broker(server.url) as broker:
            pull = Call(broker.pull, "q")
            assert pull.blocks()
            broker.push("q", "hello")
            with pull.result() as message:
                assert message.text == "hello"


def test_a_database_that_does_not_exist_is_named(server: RedisServer) -> None:
    with pytest.raises(StoreError, match="has no such database"):
        Broker(f"redis://127.0.0.1:{server.port}/1000")


def test_a_server_that_is_too_old_is_refused(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_OLDEST", (99, 0))
    with pytest.raises(StoreError, match=r"is Redis \d+\.\d+\.\d+; at least 99\.0 is needed"):
        Broker(store_url)


def test_a_server_that_drops_messages_at_will_is_warned_of(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    with server.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    Broker(server.url).close()
    assert "maxmemory-policy allkeys-lru" in caplog.text


def _tag(store_url: str) -> str:
    return f"{{{store_url.rpartition('=')[2]}:q}}"


@pytest.mark.parametrize(
    ("key", "command"),
    [
        ("", ("SET", "x")),
        ("", ("HSET", "field", "x")),
        (":ready", ("RPUSH", "x")),
        (":messages", ("SADD", "x")),
    ],
)
def test_a_key_of_another_program_is_left_as_it_is(
    make_broker: Make, store_url: str, client: Any, key: str, command: tuple[str, ...]
) -> None:
    client.execute_command(command[0], _tag(store_url) + key, *command[1:])
    before = client.dump(_tag(store_url) + key)
    with pytest.raises(StoreError, match="of another program; nothing was changed; choose another"):
        make_broker().queue("q")
    assert client.dump(_tag(store_url) + key) == before
    assert client.keys(_tag(store_url) + "*") == [(_tag(store_url) + key).encode()]


def test_a_queue_of_a_later_version_is_left_as_it_is(make_broker: Make, store_url: str, client: Any) -> None:
    make_broker().queue("q")
    client.hset(_tag(store_url), "version", SCHEMA_VERSION + 1)
    with pytest.raises(
        StoreError, match=f"schema version {SCHEMA_VERSION + 1}, this LightBroker reads {SCHEMA_VERSION}"
    ):
        make_broker().queue("q")


def test_the_bounds_of_a_queue_are_those_of_redis(make_broker: Make) -> None:
    make_broker().queue("q", capacity=5, dead_capacity=None)
    with pytest.raises(ValueError, match=r"capacity=6 \(Redis has 5\), dead_capacity=10000 \(Redis has None\)"):
        make_broker().queue("q", capacity=6)
    make_broker().queue("q", capacity=5, dead_capacity=None, lease=1.0, overflow=Overflow.REJECT)


# Trouble


def test_a_server_without_memory_refuses_pushes_and_lets_work_go_on(server: RedisServer) -> None:
    with Broker(server.url) as broker, server.client() as client:
        queue = _queue(broker, capacity=None)
        queue.push_many([bytes(1000)] * 4)
        held = queue.pull(0)
        client.config_set("maxmemory", 1)
        for push in (lambda: queue.push(b""), lambda: queue.push_many([b""] * 3), lambda: queue.push(b"", delay=1.0)):
            with pytest.raises(StoreError, match="no memory for more; nothing was changed"):
                push()
        held.ack()
        queue.pull(0).nack("no")
        queue.pull(0).release()
        queue.pull(0).reject("no")
        delivery = queue.pull(0)
        delivery.extend(100.0)
        delivery.ack()
        assert counts(queue) == {"ready": 1, "acked": 2, "dead": 1, "accepted": 4, "retried": 1}
        client.config_set("maxmemory", 0)
        queue.push(b"")
        broker.check()


def test_a_server_without_memory_lets_in_a_process_that_empties_it(server: RedisServer, clock: ManualClock) -> None:
    with Broker(server.url, clock=clock) as producer, server.client() as client:
        queue = _queue(producer, lease=30.0)
        queue.push_many([bytes(1000)] * 3)
        queue.push(b"", delay=5.0)
        queue.pull(0).reject("no")
        queue.pull(0)
        client.config_set("maxmemory", 1)
        with Broker(server.url, clock=clock) as consumer:
            heir = _queue(consumer, lease=30.0)
            for seconds in (0.0, 5.0, 25.0):  # the one that is READY, the DELAYED one, the one whose lease ran out
                clock.advance(seconds)
                heir.pull(0).ack()
            assert heir.dead_letters.purge() == 1
            with pytest.raises(StoreError, match="no memory for more; nothing was changed"):
                consumer.queue("new")
        client.config_set("maxmemory", 0)
        assert counts(queue) == {"acked": 3, "purged": 1, "accepted": 4, "retried": 1}
        assert not client.exists("{lightbroker:new}")
        producer.check()


def test_a_replica_is_called_one(server: RedisServer) -> None:
    with Broker(server.url) as broker, server.client() as client:
        queue = _queue(broker)
        client.config_set("replica-serve-stale-data", "yes")
        client.replicaof("127.0.0.1", 1)
        with pytest.raises(StoreError, match="is a replica, which takes no writes"):
            queue.push(b"")
        client.replicaof("NO", "ONE")
        queue.push(b"")
        queue.pull(0).ack()


@pytest.mark.parametrize(
    ("answer", "known"),
    [
        (exceptions.ReadOnlyError("You can't write against a read only replica."), True),
        (exceptions.ResponseError("in script: -READONLY You can't write against a read only replica."), True),
        (exceptions.ResponseError("WRONGTYPE Operation against a key"), False),
        ([b"READONLY"], False),
    ],
)
def test_a_replica_is_known_by_its_answer_in_every_version_of_redis(answer: object, known: bool) -> None:
    assert is_from_replica(answer) == known


def test_after_a_fail_over_the_address_is_followed_to_the_new_primary(server: RedisServer, tmp_path: Path) -> None:
    (tmp_path / "heir").mkdir()
    with _own_server(tmp_path / "heir") as heir, Broker(heir.url) as elsewhere, Broker(server.url) as broker:
        queue, other, subscription = _queue(broker), _queue(elsewhere), elsewhere.subscribe("a")
        broker.subscribe("a", group="g")  # whose turns are written down
        store: Any = broker._store
        links = [store._connections.connect("") for _ in range(6)]
        with server.client() as client:
            client.replicaof("127.0.0.1", 1)
        store._connections._address = read_url(heir.url)
        for refused in (lambda: queue.push(b""), lambda: broker.publish("a", b"")):
            store._connections._idle.extend(links.pop() for _ in range(3))
            with pytest.raises(StoreError, match="is a replica"):
                refused()
        queue.push("after all")
        broker.publish("a", "after all")
        assert drain(other) == ["after all"]
        assert subscription.get(timeout=PATIENCE).text == "after all"


def test_what_another_program_does_to_a_key_is_called_by_name(make_broker: Make, store_url: str, client: Any) -> None:
    queue = _queue(make_broker())
    client.set(_tag(store_url) + ":messages", "x")
    with pytest.raises(StoreError, match="another program has put something else into a key"):
        queue.push(b"")
    client.delete(_tag(store_url) + ":messages")


def test_a_server_that_has_forgotten_the_scripts_is_told_them_again(make_broker: Make, client: Any) -> None:
    queue = _queue(make_broker(), capacity=None)
    queue.push("a")
    client.script_flush()
    assert drain(queue) == ["a"]
    client.script_flush()
    queue.push_many([b""] * 3500)
    assert counts(queue) == {"ready": 3500, "acked": 1, "accepted": 3501}


def test_a_batch_keeps_its_order_when_another_producer_tells_the_server_the_script_meanwhile(
    make_broker: Make, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, other = _queue(make_broker(), capacity=None), make_broker().queue("other")
    queue.stats()
    store: Any = queue.stored
    connection = store._runner._connections._idle[-1]
    send = connection.send_packed_command

    def send_slowly(commands: list[bytes], check_health: bool = True) -> None:
        monkeypatch.undo()
        send(commands[:1], check_health)
        assert connection.can_read(timeout=PATIENCE)  # the server has dealt with the first
        other.push(b"")
        send(commands[1:], check_health)

    monkeypatch.setattr(connection, "send_packed_command", send_slowly)
    client.script_flush()
    bodies = [str(number) for number in range(3500)]
    queue.push_many(bodies)
    assert [delivery.message.text for delivery in queue.pull_many(3500, 0)] == bodies


def test_a_broken_connection_is_replaced(make_broker: Make, client: Any) -> None:
    queue = _queue(make_broker())
    for number in range(3):
        client.client_kill_filter(_type="normal", skipme=True)
        queue.push(str(number))
    client.client_kill_filter(_type="normal", skipme=True)
    assert drain(queue) == ["0", "1", "2"]
    assert counts(queue) == {"acked": 3, "accepted": 3}


def test_a_server_that_was_away_for_a_while_is_waited_for(server: RedisServer) -> None:
    with Broker(server.url) as broker:
        queue = _queue(broker)
        server.kill()
        push = Call(queue.push, "patient")
        assert push.blocks()
        server.start()
        push.result()
        assert drain(queue) == ["patient"]


def test_a_server_that_stays_away_is_an_error_that_says_so(server: RedisServer, hasty: None) -> None:
    with Broker(server.url) as broker:
        queue = _queue(broker)
        waiting = Call(queue.pull)
        assert waiting.blocks()
        server.kill()
        with pytest.raises(StoreError, match="cannot be reached, or gives no answer"):
            queue.push("in vain")
        with pytest.raises(StoreError, match="cannot be reached, or gives no answer"):
            waiting.result()


def test_closing_does_not_wait_for_a_server_that_is_away(server: RedisServer) -> None:
    broker = Broker(server.url)
    queue = _queue(broker)
    waiting = Call(queue.pull)
    assert waiting.blocks()
    server.kill()
    pushing = Call(queue.push, b"")
    assert pushing.blocks()
    Call(broker.close).result()
    for call in (waiting, pushing):
        with pytest.raises(QueueClosed):
            call.result()


def test_a_forked_process_needs_a_broker_of_its_own(make_broker: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = _queue(make_broker())
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        with pytest.raises(StoreError, match="opened before a fork"):
            queue.push(b"")
        with pytest.raises(StoreError, match="opened before a fork"):
            queue.pull()


# Replies that are lost


Lose = Callable[..., None]


@pytest.fixture
def lose_a_reply(monkeypatch: pytest.MonkeyPatch) -> Lose:
    """Lose the reply to the next request, which is run, and call `meanwhile` before it is sent again."""

    def lose(meanwhile: Callable[[], object] = lambda: None) -> None:
        read = Connections._read

        def read_in_vain(connection: ServerConnection) -> Any:
            answer = read(connection)
            if isinstance(answer, exceptions.NoScriptError):  # and so it was not run yet
                return answer
            monkeypatch.setattr(Connections, "_read", staticmethod(read))
            meanwhile()
            raise exceptions.ConnectionError("the reply was lost")

        monkeypatch.setattr(Connections, "_read", staticmethod(read_in_vain))

    return lose


def test_a_push_whose_reply_was_lost_enters_once(make_broker: Make, lose_a_reply: Lose) -> None:
    queue, other = (_queue(make_broker()) for _ in range(2))
    lose_a_reply(lambda: other.pull(0).ack())
    assert queue.push("once") is not None
    lose_a_reply()
    assert None not in queue.push_many(["a", "b"])
    assert counts(queue) == {"ready": 2, "acked": 1, "accepted": 3}


def test_a_batch_whose_reply_was_lost_tells_what_became_of_it(make_broker: Make, lose_a_reply: Lose) -> None:
    queue = _queue(make_broker(), capacity=2, overflow=Overflow.DROP_NEWEST)
    lose_a_reply(lambda: queue.pull(0).ack())
    assert [id is not None for id in queue.push_many(["a", "b", "c"])] == [True, True, False]
    assert counts(queue) == {"ready": 1, "acked": 1, "dropped": 1, "accepted": 3}


def test_a_request_that_arrives_late_after_it_was_sent_again_changes_nothing(make_broker: Make) -> None:
    queue = _queue(make_broker())
    store: Any = queue.stored
    call = store._commands.push([Message("id", b"once", 1000.0)], 0, 0.0, b"no")
    store._runner.run(call)
    drain(queue)
    for _ in range(3):
        queue.push("more")
    store._runner.run(call)
    assert counts(queue) == {"ready": 3, "acked": 1, "accepted": 4}


SETTLE: dict[str, Callable[[Queue, Delivery], None]] = {
    "ack": lambda queue, delivery: delivery.ack(),
    "ack_many": lambda queue, delivery: queue.ack_many([delivery]),
    "nack": lambda queue, delivery: delivery.nack("no"),
    "release": lambda queue, delivery: delivery.release(),
    "reject": lambda queue, delivery: delivery.reject("no"),
    "extend": lambda queue, delivery: delivery.extend(100.0),
}


@pytest.mark.parametrize("settle", SETTLE.values(), ids=SETTLE)
def test_a_settlement_whose_reply_was_lost_is_not_taken_for_late(
    make_broker: Make, lose_a_reply: Lose, settle: Callable[[Queue, Delivery], None]
) -> None:
    queue, plain = _queue(make_broker()), make_broker().queue("plain", retry=Retry(base=0.0))
    for each in (queue, plain):
        each.push("work")
    lose_a_reply()
    settle(queue, queue.pull(0))
    settle(plain, plain.pull(0))
    assert counts(queue) == counts(plain)


@pytest.mark.parametrize("settle", SETTLE.values(), ids=SETTLE)
def test_a_settlement_that_is_late_is_late_whatever_became_of_its_reply(
    make_broker: Make, lose_a_reply: Lose, settle: Callable[[Queue, Delivery], None], clock: ManualClock
) -> None:
    queue = _queue(make_broker(), lease=30.0)
    queue.push("work")
    delivery = queue.pull(0)
    clock.advance(30.0)
    lose_a_reply()
    with pytest.raises(LeaseLost):
        settle(queue, delivery)
    assert counts(queue) == {"ready": 1, "accepted": 1, "retried": 1}


def test_a_pull_whose_reply_was_lost_gets_what_it_leased(make_broker: Make, lose_a_reply: Lose) -> None:
    queue = _queue(make_broker(trace=100))
    ids = queue.push_many(["a", "b", "c"])
    lose_a_reply()
    deliveries = queue.pull_many(2, 0)
    assert [delivery.message.id for delivery in deliveries] == ids[:2]
    assert counts(queue) == {"ready": 1, "leased": 2, "accepted": 3}
    queue.ack_many(deliveries)
    lose_a_reply()
    with queue.pull(0) as message:
        assert message.attempts == 1
    assert counts(queue) == {"acked": 3, "accepted": 3}


def test_a_wake_up_that_was_lost_with_its_reply_wakes_everybody(make_broker: Make, lose_a_reply: Lose) -> None:
    queue = _queue(make_broker())
    pulls = [Call(queue.pull) for _ in range(3)]
    assert all(pull.blocks() for pull in pulls)
    lose_a_reply()
    queue.push_many([b""] * 3)
    for pull in pulls:
        pull.result()


def test_a_batch_that_is_refused_in_part_wakes_the_waiters_of_the_rest(
    make_broker: Make, client: Any, store_url: str
) -> None:
    queue = _queue(make_broker(), capacity=None)
    pull = Call(queue.pull)
    wait_until(lambda: client.exists(f"{_tag(store_url)}:pullers"))
    store: Any = queue.stored
    client.rpush(f"{_tag(store_url)}:pushed:{store._commands._client}:1", "what the second portion trips over")
    with pytest.raises(StoreError, match="another program has put something else into a key"):
        queue.push_many([b"first", *[b""] * 1500])
    assert pull.result().message.body == b"first"
    assert counts(queue) == {"ready": 999, "leased": 1, "accepted": 1000}


# Several brokers


def test_times_are_those_of_the_server(store_url: str, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def now() -> int:
        seconds, micros = client.time()
        return int(seconds) * 1_000_000 + int(micros)

    monkeypatch.setattr(time, "time", lambda: 5.0)
    with Broker(store_url) as broker:
        queue = _queue(broker, lease=30.0)
        queue.push("work")
        begin = now()
        delivery = queue.pull(0)
        [(_, deadline)] = client.zrange(f"{_tag(store_url)}:leased", 0, -1, withscores=True)
        assert begin <= deadline - 30_000_000 <= now()
        delivery.nack("no")
        queue.pull(0).reject("never")
        [letter] = queue.dead_letters
        assert begin / 1e6 <= letter.first_failed_at <= letter.last_failed_at <= now() / 1e6


# Waiting


CLIENTS_OWN = {"eval", "evalsha", "subscribe", "unsubscribe", "ping", "hello", "select", "auth"}


def _calls(client: Any) -> dict[str, int]:
    """What clients have asked for since the last look; what scripts call is not counted here."""
    stats = client.info("commandstats")
    client.config_resetstat()
    found = {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in stats.items()}
    return {name: calls for name, calls in found.items() if name in CLIENTS_OWN}


def test_each_transition_is_one_round_trip(make_broker: Make, client: Any) -> None:
    queue = _queue(make_broker(), retry=Retry(max_attempts=3, base=0.0))
    queue.push_many(["a"] * 6)
    deliveries = [queue.pull(0), *queue.pull_many(5, 0)]
    steps: list[Callable[[], object]] = [
        lambda: queue.push(b""),
        lambda: queue.push(b"", delay=1.0, ttl=5.0),
        lambda: queue.push_many([b""] * 100),
        lambda: queue.pull(0),
        lambda: queue.pull(None),
        lambda: queue.pull_many(97, 0),
        deliveries[0].ack,
        deliveries[1].nack,
        deliveries[2].release,
        lambda: deliveries[3].reject("no"),
        lambda: deliveries[4].extend(60.0),
        lambda: queue.ack_many(deliveries[4:]),
        lambda: queue.dead_letters.redrive(),
        lambda: queue.dead_letters.purge(),
        lambda: list(iter(queue.dead_letters)),  # `list` would ask for their number first
        queue.stats,
        queue.stored.check,
    ]
    trips = []
    for step in steps:
        _calls(client)
        step()
        trips.append(_calls(client))
    # A script that the server does not know yet, it is told at once: a second trip, once in the server's life.
    assert [calls["evalsha"] for calls in trips] == [1] * len(steps)
    assert all(calls.keys() <= {"evalsha", "eval"} for calls in trips)


def _listed(client: Any, store_url: str, role: str, many: int = 1) -> None:
    """Return when so many processes are listed as waiting; they ask for nothing more then."""
    wait_until(lambda: client.zcard(f"{_tag(store_url)}:{role}") == many)


def test_a_wait_asks_for_nothing_until_there_is_something(make_broker: Make, client: Any, store_url: str) -> None:
    here, there = (_queue(make_broker(), capacity=1) for _ in range(2))
    pull = Call(there.pull)
    _listed(client, store_url, "pullers")
    _calls(client)
    assert pull.blocks()
    assert _calls(client) == {}
    here.push("one")
    delivery = pull.result()
    assert sum(_calls(client).values()) <= 3  # a push; a pull, told by its digest or its text
    here.push_many([], timeout=0)
    here_push = Call(here.push, "two")
    _listed(client, store_url, "pushers")
    _calls(client)
    assert here_push.blocks()
    assert _calls(client) == {}
    delivery.ack()
    here_push.result()
    assert sum(_calls(client).values()) <= 3


def test_a_message_wakes_one_of_the_processes_that_wait(
    make_broker: Make, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "GRACE", 3600.0)
    queues = [_queue(make_broker()) for _ in range(6)]
    pulls = [Call(queue.pull) for queue in queues[1:] for _ in range(3)]
    assert all(pull.blocks() for pull in pulls)
    for number in range(1, len(pulls) + 1):
        _calls(client)
        queues[0].push(b"")
        wait_until(lambda number=number: sum(not pull._thread.is_alive() for pull in pulls) == number)  # type: ignore
        assert sum(_calls(client).values()) <= 3
    assert counts(queues[0]) == {"leased": 15, "accepted": 15}


def test_a_batch_wakes_as_many_as_it_has_messages_for(make_broker: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "GRACE", 3600.0)
    queues = [_queue(make_broker()) for _ in range(3)]
    pulls = [Call(queue.pull) for queue in queues for _ in range(4)]
    assert all(pull.blocks() for pull in pulls)
    queues[0].push_many([b""] * 12)
    for pull in pulls:
        pull.result()


def test_room_wakes_the_waiters_of_all_processes(make_broker: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "GRACE", 3600.0)
    queues = [_queue(make_broker(), capacity=6) for _ in range(3)]
    queues[0].push_many([b""] * 6)
    pushes = [Call(queue.push, b"") for queue in queues for _ in range(2)]
    assert all(push.blocks() for push in pushes)
    queues[1].ack_many(queues[1].pull_many(6, 0))
    for push in pushes:
        push.result()
    assert counts(queues[2]) == {"ready": 6, "acked": 6, "accepted": 12}


def test_a_process_that_died_while_it_waited_is_passed_over(
    make_broker: Make, client: Any, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "GRACE", 3600.0)
    here, there = (_queue(make_broker()) for _ in range(2))
    client.zadd(f"{_tag(store_url)}:pullers", {"gone": 1, "gone too": 2})
    pull = Call(there.pull)
    assert pull.blocks()
    here.push("for whoever lives")
    assert pull.result().message.text == "for whoever lives"


def test_a_process_that_dies_on_its_way_is_replaced(
    store_url: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "GRACE", 0.05)
    with Broker(store_url) as doomed, Broker(store_url) as heir, Broker(store_url) as producer:
        died = threading.Event()
        doomed_runner: Any = _queue(doomed).stored._runner  # type: ignore[attr-defined]
        monkeypatch.setattr(doomed_runner, "_wake", lambda *_: died.set())
        Call(doomed.pull, "q", 60.0)
        _listed(client, store_url, "pullers")
        second = Call(_queue(heir).pull)
        _listed(client, store_url, "pullers", 2)
        _queue(producer).push("inherited")
        assert second.result().message.text == "inherited"
        assert died.is_set()


def test_a_wake_up_for_which_nobody_waits_any_more_is_passed_on(
    make_broker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "GRACE", 3600.0)
    here, there, producer = (_queue(make_broker()) for _ in range(3))
    with pytest.raises(QueueEmpty):
        here.pull(timeout=0.01)  # leaves its process listed
    pull = Call(there.pull)
    assert pull.blocks()
    producer.push("passed on")
    assert pull.result().message.text == "passed on"


def test_a_waiter_hears_of_a_delay_that_another_process_left(store_url: str) -> None:
    with Broker(store_url) as broker:
        pull = Call(_queue(broker).pull)
        assert pull.blocks()
        with Broker(store_url) as other:
            other.push("q", "later", delay=0.1)
        assert pull.result().message.text == "later"


def test_a_waiter_hears_of_a_lease_that_another_process_left(store_url: str) -> None:
    with Broker(store_url) as broker, Broker(store_url) as other:
        _queue(broker).push("work")
        _queue(other, lease=0.1).pull(0)
        pull = Call(_queue(broker).pull)
        assert pull.result().message.attempts == 2
        again = Call(_queue(broker).pull)
        assert again.blocks()
        _queue(other, lease=0.1).push("more")
        delivery = again.result()
        delivery.release()
        _queue(other, lease=0.1).pull(0)
        other.close()
        assert Call(_queue(broker).pull).result().message.text == "more"


def test_a_notice_that_makes_no_sense_is_passed_over(
    make_broker: Make, client: Any, store_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runner, "GRACE", 3600.0)
    here, there = (_queue(make_broker()) for _ in range(2))
    pull = Call(there.pull)
    wait_until(lambda: client.exists(f"{_tag(store_url)}:pullers"))
    for garbage in (b"hello", b"", b"pull ", b"due soon", b"due 1" + b"0" * 400, b"\xff 1"):
        assert client.publish(_tag(store_url), garbage) == 1
    here.push("heard")
    assert pull.result().message.text == "heard"
    assert caplog.text.count("makes no sense") == 6


def test_a_waiter_outlives_the_connection(make_broker: Make, client: Any) -> None:
    here, there = (_queue(make_broker(), capacity=1) for _ in range(2))
    pull = Call(there.pull)
    assert pull.blocks()
    client.client_kill_filter(_type="pubsub")
    here.push("one")
    delivery = pull.result()
    push = Call(here.push, "two")
    assert push.blocks()
    client.client_kill_filter(_type="pubsub")
    delivery.ack()
    push.result()


def test_a_waiter_outlives_the_server(server: RedisServer) -> None:
    with Broker(server.url) as broker, Broker(server.url) as other:
        pull = Call(_queue(broker).pull)
        assert pull.blocks()
        server.kill()
        server.start()
        other.push("q", "after all")
        assert pull.result().message.text == "after all"


def test_a_connection_that_broke_unnoticed_is_noticed(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "CHECK_INTERVAL", 0.1)
    with Broker(server.url) as broker:
        queue = _queue(broker)
        pull = Call(queue.pull)
        assert pull.blocks()
        subscriber: Any = queue.stored._subscriber  # type: ignore[attr-defined]
        wait_until(lambda: subscriber._connection is not None)
        first = subscriber._connection
        server.pause()
        wait_until(lambda: subscriber._connection is not first)
        server.resume()
        queue.push("heard")
        assert pull.result().message.text == "heard"


def test_a_subscription_that_could_not_be_sent_is_sent_again(
    make_broker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "CHECK_INTERVAL", 0.1)
    here, there = (_queue(make_broker()) for _ in range(2))
    subscriber: Any = there.stored._subscriber  # type: ignore[attr-defined]
    send = subscriber._send

    def fail_to_send(*words: str) -> None:
        monkeypatch.setattr(subscriber, "_send", send)
        subscriber._connection.disconnect()  # redis-py connects again by itself when the thread wants to read

    monkeypatch.setattr(subscriber, "_send", fail_to_send)
    pull = Call(there.pull)
    assert pull.blocks()
    here.push("heard")
    assert pull.result().message.text == "heard"


def test_a_waiter_follows_the_address_to_a_new_primary(
    server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "CHECK_INTERVAL", 0.1)
    (tmp_path / "heir").mkdir()
    with _own_server(tmp_path / "heir") as heir, Broker(heir.url) as elsewhere, Broker(server.url) as broker:
        pull = Call(_queue(broker).pull)
        assert pull.blocks()
        with server.client() as client:
            client.replicaof("127.0.0.1", 1)
        store: Any = broker._store
        store._connections._address = read_url(heir.url)
        with heir.client() as client:
            wait_until(lambda: client.exists("{lightbroker:q}:pullers"))
        elsewhere.push("q", "after all")
        assert pull.result().message.text == "after all"


# Large


def test_a_large_batch_goes_in_pieces_and_stays_whole(make_broker: Make) -> None:
    queue = _queue(make_broker(), capacity=5000)
    bodies = [str(number) for number in range(3500)]
    queue.push_many(bodies)
    deliveries = queue.pull_many(5000, 0)
    assert [delivery.message.text for delivery in deliveries] == bodies
    queue.ack_many(deliveries[:2500])
    for delivery in deliveries[2500:]:
        delivery.reject("no")
    assert len(queue.dead_letters) == len(list(queue.dead_letters)) == 1000
    queue.push_many(bodies)
    for delivery in queue.pull_many(1500, 0):
        delivery.reject("no")
    assert queue.dead_letters.redrive() == 2500
    for delivery in queue.pull_many(4500, 0):
        delivery.reject("no")
    assert queue.dead_letters.redrive(limit=2100) == 2100
    assert queue.dead_letters.purge() == 2400
    assert counts(queue)["ready"] == 2100


@pytest.mark.parametrize("policy", Overflow)
def test_a_large_batch_follows_the_overflow_policy(make_broker: Make, policy: Overflow) -> None:
    queue = _queue(make_broker(), capacity=1500, overflow=policy)
    bodies = [str(number) for number in range(3200)]
    try:
        taken = [id is not None for id in queue.push_many(bodies, timeout=0)]
    except QueueFull as error:
        taken = [True] * len(error.accepted)
    first = [delivery.message.text for delivery in queue.pull_many(2000, 0)]
    if policy is Overflow.DROP_OLDEST:
        assert (first, taken) == (bodies[1700:], [True] * 3200)
    else:
        assert first == bodies[:1500]
        assert sum(taken) == (3200 if policy is Overflow.DEAD_LETTER else 1500)


def test_heavy_messages_go_in_pieces(make_broker: Make) -> None:
    queue = _queue(make_broker())
    bodies = [bytes([number]) * 100_000 for number in range(240)]
    queue.push_many(bodies)
    assert [delivery.message.body for delivery in queue.pull_many(240, 0)] == bodies


def test_many_leases_that_end_together_are_ended_in_pieces(make_broker: Make, clock: ManualClock) -> None:
    queue = _queue(make_broker(), lease=30.0)
    queue.push_many([b""] * 2500, ttl=20.0)
    queue.pull_many(1200, 0)
    queue.push_many([b""] * 1100, delay=30.0)
    clock.advance(30.0)
    assert counts(queue) == {"ready": 1100, "dead": 1200, "expired": 1300, "accepted": 3600, "retried": 1200}
