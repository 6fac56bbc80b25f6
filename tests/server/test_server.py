"""The server: what it answers, whom it refuses, and that nobody holds it up. `test_http.py` has what it can read."""

import gc
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

import lightbroker
from lightbroker import Broker, ManualClock, Queue, QueueClosed, Retry, StoreError
from lightbroker.core.memory.store import MemoryStore
from lightbroker.core.store import Excerpt
from lightbroker.server import MetricsServer, listener
from tests.server.http_client import ask, connect, receive, send
from tests.support import PATIENCE, Call, wait_until

Open = Callable[..., Queue]
GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture
def server(broker: Broker) -> Iterator[MetricsServer]:
    with MetricsServer(broker) as server:
        yield server


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("lightbroker-http")]


# What it shows


def test_metrics_are_in_prometheus_text_format(broker: Broker, server: MetricsServer) -> None:
    broker.push("blocks", "a")
    answer = ask(server, "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(answer.body.decode())}
    [accepted] = [
        sample.value
        for sample in families["lightbroker_messages"].samples
        if sample.labels == {"queue": "blocks", "event": "accepted"}
    ]
    assert accepted == 1


def test_health_is_200_when_all_is_well_and_503_with_the_reason_otherwise(
    broker: Broker, server: MetricsServer, clock: ManualClock
) -> None:
    broker.push("blocks", "a")
    answer = ask(server, "/health")
    assert (answer.status, answer.json()["status"]) == (200, "ok")
    assert answer.json()["queues"]["blocks"]["ready"] == 1
    clock.advance(60.0)
    answer = ask(server, "/health")
    assert (answer.status, answer.json()["status"]) == (503, "stalled")
    assert "blocks" in answer.json()["reason"]
    assert answer.json()["uptime_seconds"] == 60.0
    broker.close()
    answer = ask(server, "/health")
    assert (answer.status, answer.json()["status"]) == (503, "closed")


def test_the_page_may_run_its_own_script_and_nothing_else(server: MetricsServer) -> None:
    answer = ask(server, "/")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    page = answer.body.decode()
    for outside in ("src=", "@import", "url(", "//cdn", "innerHTML", ' style="', "onclick"):
        assert outside not in page
    assert page.count("http") == page.count("http://www.w3.org/2000/svg")


def test_the_page_is_found_in_a_zip_file_too(tmp_path: Path) -> None:
    package = Path(lightbroker.__file__).parent
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        for path in package.rglob("*"):
            if path.suffix in (".py", ".html"):
                archive.write(path, path.relative_to(package.parent))
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from lightbroker import Broker;"
        "from lightbroker.server import http, site, health;"
        "broker = Broker(); page = site.BrokerSite(broker, health.Health(broker))"
        ".answer(http.Request('GET', ('',), (), None, True)); print(site.__file__, page.status.value)"
    )
    command = [sys.executable, "-I", "-c", program, str(tmp_path / "app.zip")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path)
    assert "app.zip" in run.stdout
    assert run.stdout.endswith(" 200\n")


def test_the_page_reads_numbers_times_and_bounds(broker: Broker, server: MetricsServer, clock: ManualClock) -> None:
    with broker.workers("blocks", lambda message: clock.advance(0.5), workers=1):
        broker.push("blocks", "a")
        wait_until(lambda: broker.stats().queues["blocks"].acked == 1)
    broker.push("blocks", "b")
    clock.advance(3.0)
    stats = ask(server, "/stats.json").json()
    assert (stats["status"], stats["time"]) == ("ok", 1003.5)
    blocks = stats["queues"]["blocks"]
    assert (blocks["acked"], blocks["ready"], blocks["oldest_age_seconds"]) == (1, 1, 3.0)
    processing = dict(zip([*stats["bounds"], None], blocks["processing"]["counts"]))
    assert {bound: count for bound, count in processing.items() if count} == {0.5: 1}
    assert sum(blocks["wait"]["counts"]) == 1


def bury(queue: Queue, body: object, reason: str = "bad", headers: dict[str, str] | None = None) -> None:
    queue.push(body, headers=headers)
    queue.pull(timeout=0).reject(reason)


def test_dead_letters_are_shown_newest_first_and_stay(broker: Broker, server: MetricsServer) -> None:
    queue = broker.queue("a/b ü".replace(" ", "-"), retry=Retry(max_attempts=1))
    for number in range(25):
        bury(queue, {"number": number}, headers={"n": str(number)})
    shown = ask(server, "/queues/a%2Fb-%C3%BC/dlq").json()
    assert (shown["queue"], shown["dead"], len(shown["newest_first"])) == ("a/b-ü", 25, 20)
    first = shown["newest_first"][0]
    assert first == {
        "id": list(queue.dead_letters)[-1].message.id,
        **{"reason": "rejected", "error": "bad", "traceback": "", "attempts": 1, "headers": {"n": "24"}},
        **{"accepted_at": 1000.0, "first_failed_at": 1000.0, "last_failed_at": 1000.0},
        "body": {"bytes": 14, "truncated": False, "text": '{"number": 24}'},
    }
    assert len(ask(server, "/queues/a%2Fb-%C3%BC/dlq?limit=2").json()["newest_first"]) == 2
    assert len(ask(server, "/queues/a%2Fb-%C3%BC/dlq?limit=100").json()["newest_first"]) == 25
    assert queue.stats().dead == 25


def test_bodies_are_cut_and_what_is_no_text_is_base64(broker: Broker, server: MetricsServer) -> None:
    queue = broker.queue("q")
    for body in (b"\xff\x00", "é" * 5000, b"x" * 4095 + "é".encode() + b"y", b"x" * 4090 + b"\xff" * 20):
        bury(queue, body, "\ud800 lone")
    bodies = [letter["body"] for letter in ask(server, "/queues/q/dlq").json()["newest_first"]][::-1]
    assert bodies[0] == {"bytes": 2, "truncated": False, "base64": "/wA="}
    assert bodies[1] == {"bytes": 10_000, "truncated": True, "text": "é" * 2048}
    assert bodies[2] == {"bytes": 4098, "truncated": True, "text": "x" * 4095}
    assert (bodies[3]["truncated"], "base64" in bodies[3]) == (True, True)


def test_no_more_is_read_of_a_body_than_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def newest_dead(*arguments: int) -> list[Excerpt]:
        found = whole(*arguments)
        read.extend(len(excerpt.letter.message.body) for excerpt in found)
        return found

    with Broker(f"sqlite:///{tmp_path}/q.db") as broker, MetricsServer(broker) as server:
        queue = broker.queue("q")
        bury(queue, bytes(100_000))
        whole = queue.stored.newest_dead  # type: ignore[attr-defined]
        monkeypatch.setattr(queue.stored, "newest_dead", newest_dead)
        [letter] = ask(server, "/queues/q/dlq").json()["newest_first"]
    assert letter["body"] == {"bytes": 100_000, "truncated": True, "text": "\0" * 4096}
    assert read == [4096]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "", "x", "%D9%A1", "99999999999999999999"])
def test_a_limit_that_makes_no_sense_is_refused(broker: Broker, server: MetricsServer, limit: str) -> None:
    broker.queue("q")
    answer = ask(server, f"/queues/q/dlq?limit={limit}")
    assert answer.status == 400
    assert "limit" in answer.json()["reason"]


def test_asking_for_a_queue_does_not_declare_it(broker: Broker, server: MetricsServer) -> None:
    assert ask(server, "/queues/new/dlq").status == 404
    assert broker.queues == {}


# Whom it refuses


@pytest.mark.parametrize(
    "path", ["/metric", "/metrics/", "/health/x", "/queues", "/queues/q", "/queues/q/dlq/", "//", "/%00"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unknown_paths_are_404(server: MetricsServer, path: str, method: str) -> None:
    answer = ask(server, path, method)
    assert (answer.status, answer.json()["status"]) == (404, "error")


@pytest.mark.parametrize("path", ["/", "/metrics", "/health", "/stats.json", "/queues/q/dlq"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_other_methods_are_405_and_say_which_are_allowed(server: MetricsServer, path: str, method: str) -> None:
    answer = ask(server, path, method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/", "/metrics", "/health", "/nowhere"])
def test_head_is_get_without_a_body(server: MetricsServer, path: str) -> None:
    head, get = ask(server, path, "HEAD"), ask(server, path)
    assert (head.status, head.body) == (get.status, b"")
    assert abs(int(head.headers["content-length"]) - len(get.body)) < 20  # the numbers of the process move
    assert head.headers.keys() == get.headers.keys()


@pytest.mark.parametrize("path", ["/", "/metrics", "/health", "/nowhere"])
def test_every_response_is_guarded_and_tells_no_version(server: MetricsServer, path: str) -> None:
    headers = ask(server, path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "server" not in headers
    assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example"]
)
def test_a_name_that_others_control_is_refused_on_loopback(server: MetricsServer, host: str) -> None:
    assert ask(server, "/health", Host=host).status == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:9", "10.1.2.3", "a.localhost"])
def test_addresses_and_localhost_are_accepted(server: MetricsServer, host: str) -> None:
    assert ask(server, "/health", Host=host).status == 200


def test_names_are_accepted_by_a_server_that_others_may_reach(broker: Broker) -> None:
    with MetricsServer(broker, "0.0.0.0") as server:
        assert ask(server, "/health", Host="metrics.example").status == 200


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 100_000, 431),
        (b"POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000, 405),
    ],
)
def test_what_cannot_be_answered_is_told_why_and_the_connection_ends(
    server: MetricsServer, data: bytes, status: int
) -> None:
    received = send(server, data)
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Connection: close" in head
    assert json.loads(body)["reason"]


def test_a_body_is_not_taken_for_the_next_request(server: MetricsServer) -> None:
    smuggled = b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(GET) + GET
    assert send(server, smuggled).count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("data", [b"", b"G", b"GET / HTTP/1.1\r\nHost: localhost\r\n"])
def test_half_a_request_gets_no_answer(server: MetricsServer, data: bytes) -> None:
    assert send(server, data) == b""


# Connections


def test_a_connection_is_kept_for_the_next_request_and_requests_may_come_at_once(server: MetricsServer) -> None:
    received = send(server, GET + GET + LAST)
    assert received.count(b"HTTP/1.1 200 OK") == 3
    assert received.count(b"Connection: keep-alive") == 2


def test_the_threads_are_as_many_however_many_connect(server: MetricsServer) -> None:
    held = [connect(server) for _ in range(200)]
    try:
        for sock in held:
            sock.sendall(GET[:20])
        assert ask(server, "/health").status == 200
        assert len(threads()) == 1 + listener._READERS
    finally:
        for sock in held:
            sock.close()


def test_who_is_too_slow_is_disconnected(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "_REQUEST_TIME", 1.0)
    with MetricsServer(broker) as server, connect(server) as silent, connect(server) as slow, connect(server) as idle:
        slow.sendall(GET[:30])
        idle.sendall(GET)
        assert receive(silent) == receive(slow) == b""
        assert receive(idle).startswith(b"HTTP/1.1 200 OK")


def test_who_does_not_take_the_response_is_disconnected(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "_RESPONSE_TIME", 0.1)
    for number in range(300):
        broker.queue(f"queue-{number}")  # some megabytes of metrics, more than the system buffers
    with MetricsServer(broker) as server, connect(server) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        inside = server._listener
        assert inside is not None
        wait_until(lambda: len(inside._connections) == 1)
        deaf.sendall(GET.replace(b"/health", b"/metrics") * 20)
        wait_until(lambda: not inside._connections)


def test_when_there_are_too_many_connections_the_one_that_waits_longest_makes_room(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "_MOST_CONNECTIONS", 3)
    with MetricsServer(broker) as server:
        first, second, third = (connect(server) for _ in range(3))
        inside = server._listener
        assert inside is not None
        wait_until(lambda: len(inside._idle) == 3)
        first.sendall(GET)
        assert first.recv(65536).startswith(b"HTTP/1.1 200 OK")
        assert ask(server, "/health").status == 200
        assert receive(second) == b""
        for sock in (first, third):
            sock.sendall(LAST)
            assert receive(sock).startswith(b"HTTP/1.1 200 OK")
        for sock in (first, second, third):
            sock.close()


# Stores that are slow or fail


class Held(MemoryStore):
    """A store whose numbers cannot be read until `let_go` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def queue(self, *arguments: Any) -> Any:
        queue = super().queue(*arguments)
        let_go = self.let_go

        class Slow(type(queue)):  # type: ignore[misc]
            __slots__ = ()

            def stats(self) -> Any:
                assert let_go.wait(2 * PATIENCE)
                return super().stats()

        return Slow(*arguments)


def test_a_store_that_keeps_us_waiting_is_503_and_holds_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "_READ_TIME", 0.2)
    store = Held()
    with Broker(store) as broker, MetricsServer(broker) as server:
        broker.push("q", "a")
        for path in (
            "/metrics",
            "/metrics",
            "/health",
            "/stats.json",
            *(f"/queues/q/dlq?limit={n}" for n in range(1, 4)),
        ):
            answer = ask(server, path)
            assert answer.status == 503
            assert "did not answer within 0.2 s" in answer.json()["reason"]
        assert len(threads()) == 1 + listener._READERS
        assert ask(server, "/").status == 200
        monkeypatch.setattr(listener, "_MOST_READS", 5)
        answer = ask(server, "/queues/q/dlq")
        assert (answer.status, answer.json()["reason"]) == (503, "the broker has yet to answer others")
        store.let_go.set()
        wait_until(lambda: not server._listener._reads)  # type: ignore[union-attr]
        monkeypatch.setattr(listener, "_READ_TIME", PATIENCE)
        assert ask(server, "/metrics").status == 200
        broker.pull("q", timeout=0).ack()


def test_who_asks_for_the_same_at_the_same_time_shares_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "_READ_TIME", 0.05)
    store = Held()
    with Broker(store) as broker, MetricsServer(broker) as server:
        broker.queue("q")
        broker.queue("p")
        for path, reads in (
            ("/metrics", 1),
            ("/metrics", 1),
            ("/queues/q/dlq?limit=1", 2),
            ("/queues/q/dlq?limit=1", 2),
            ("/queues/q/dlq?limit=2", 3),
            ("/queues/p/dlq?limit=2", 4),
            ("/queues/p/dlq?limit=2", 4),
        ):
            assert ask(server, path).status == 503
            assert len(server._listener._reads) == reads  # type: ignore[union-attr]
        store.let_go.set()


def test_closing_does_not_wait_for_such_a_store() -> None:
    store = Held()
    with Broker(store) as broker:
        broker.push("q", "a")
        with MetricsServer(broker) as server, connect(server) as sock:
            sock.sendall(GET)
            wait_until(lambda: bool(server._listener._reads))  # type: ignore[union-attr]
            assert Call(server.close).result() is None
        store.let_go.set()
        wait_until(lambda: not threads())
        broker.pull("q", timeout=0).ack()


@pytest.mark.parametrize("error", [StoreError("the disk is full"), QueueClosed("the broker is closed")])
@pytest.mark.parametrize("path", ["/metrics", "/health", "/queues/q/dlq"])
def test_a_store_that_fails_is_503_with_the_reason(
    broker: Broker, server: MetricsServer, monkeypatch: pytest.MonkeyPatch, path: str, error: Exception
) -> None:
    def fail() -> Any:
        raise error

    queue = broker.queue("q")
    monkeypatch.setattr(queue, "stats", fail)
    answer = ask(server, path)
    assert answer.status == 503
    assert answer.json()["reason"] == str(error)


def test_a_closed_sqlite_store_is_503(tmp_path: Any) -> None:
    broker = Broker(f"sqlite:///{tmp_path}/q.db")
    broker.push("q", "a")
    with MetricsServer(broker) as server:
        assert ask(server, "/metrics").status == 200
        broker.pull("q", timeout=0).ack()
        broker.close()
        for path in ("/metrics", "/health", "/queues/q/dlq"):
            answer = ask(server, path)
            assert (answer.status, answer.json()["reason"]) == (503, "the broker is closed")


def test_an_error_of_ours_is_logged_and_not_shown(
    broker: Broker, server: MetricsServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> Any:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(broker, "stats", fail)
    answer = ask(server, "/metrics")
    assert (answer.status, b"secret" in answer.body) == (500, False)
    [record] = caplog.records
    assert (record.name, record.levelno) == ("lightbroker.server.listener", logging.ERROR)
    assert "a secret" in caplog.text


def test_those_who_ask_for_the_same_at_the_same_time_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Held()
    looks = []
    with Broker(store) as broker, MetricsServer(broker) as server:
        broker.push("q", "a")
        stats = broker.stats
        monkeypatch.setattr(broker, "stats", lambda: looks.append("a look") or stats())  # type: ignore[func-returns-value]
        calls = [Call(ask, server, f"/health?{n}") for n in range(20)]
        inside = server._listener
        assert inside is not None
        wait_until(lambda: len(inside._connections) == 20 and not inside._idle)
        store.let_go.set()
        assert {call.result().status for call in calls} == {200}
        assert len(looks) == 1
        broker.pull("q", timeout=0).ack()


# Starting and closing


def test_it_listens_on_loopback_on_a_free_port_unless_told(broker: Broker) -> None:
    with MetricsServer(broker) as one, MetricsServer(broker) as other:
        assert one.url.startswith("http://127.0.0.1:")
        assert one.url != other.url


@pytest.mark.parametrize(("host", "url"), [("localhost", "http://"), ("::1", "http://[::1]:")])
def test_it_listens_where_it_is_told(broker: Broker, host: str, url: str) -> None:
    try:
        server = MetricsServer(broker, host).start()
    except OSError as error:
        pytest.skip(f"no {host} here: {error}")
    with server:
        assert server.url.startswith(url)
        assert ask(server, "/health").status == 200
        assert ask(server, "/health", Host="evil.example").status == 421


def test_a_port_that_is_taken_is_named(server: MetricsServer, broker: Broker) -> None:
    port = int(server.url.rpartition(":")[2])
    before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1, port {port}: .*; choose another"):
        MetricsServer(broker, port=port).start()
    assert not before or len(os.listdir("/proc/self/fd")) == before


def test_a_host_that_does_not_exist_is_named(broker: Broker) -> None:
    with pytest.raises(OSError, match=r"cannot listen on no\.such\.host\.invalid, port 0: "):
        MetricsServer(broker, "no.such.host.invalid").start()


def test_it_can_be_closed_twice_and_started_again(broker: Broker) -> None:
    server = MetricsServer(broker)
    with pytest.raises(RuntimeError, match="not started"):
        _ = server.url
    server.close()
    for _ in range(2):
        with server:
            assert server.start() is server
            assert ask(server, "/health").status == 200
        server.close()
        with pytest.raises(RuntimeError, match="not started"):
            _ = server.url
    assert not threads()


def test_closing_is_prompt_and_ends_every_connection(broker: Broker) -> None:
    with MetricsServer(broker) as server:
        held = [connect(server) for _ in range(20)]
        for sock in held[:10]:
            sock.sendall(GET[:20])
        assert ask(server, "/health").status == 200
    assert not threads()
    for sock in held:
        assert receive(sock) == b""
        sock.close()


def test_closing_while_others_connect_logs_nothing(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    port, stop = 0, threading.Event()

    def knock() -> None:
        while not stop.is_set():
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
                sock.sendall(GET[:20])

    clients = []
    try:
        for _ in range(20):
            with MetricsServer(broker, port=port) as server:
                if not clients:
                    port = int(server.url.rpartition(":")[2])
                    clients = [Call(knock) for _ in range(3)]
                ask(server, "/health")
    finally:
        stop.set()
    for client in clients:
        client.result()
    assert caplog.text == ""
    assert not threads()


def test_closing_ends_those_that_were_accepted_at_that_moment(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    with MetricsServer(broker) as server:
        busy = threading.Event()
        inside = server._listener
        assert inside is not None
        inside._loop.call_soon_threadsafe(busy.wait, PATIENCE)
        held = [connect(server) for _ in range(50)]
        close = Call(server.close)
        assert close.blocks()
        busy.set()
        close.result()
    gc.collect()  # what was forgotten open is a warning, which is an error
    for sock in held:
        assert receive(sock) == b""
        sock.close()
    assert caplog.text == ""


def test_it_may_outlive_and_precede_its_broker(clock: ManualClock) -> None:
    broker = Broker(clock=clock)
    with MetricsServer(broker) as server:
        broker.close()
        assert ask(server, "/metrics").status == 200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_process_leaves_it_to_the_other(server: MetricsServer) -> None:
    child = os.fork()
    if not child:
        try:
            with pytest.raises(RuntimeError, match="make one of its own"):
                server.start()
            server.close()
            os._exit(0)
        except BaseException:
            os._exit(1)
    until = time.monotonic() + PATIENCE
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert os.waitstatus_to_exitcode(ended[1]) == 0
    assert ask(server, "/health").status == 200


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        *[("broker", value, TypeError) for value in (None, "memory://")],
        *[("host", value, TypeError) for value in (None, b"localhost", 5)],
        ("host", "", ValueError),
        *[("port", value, TypeError) for value in (None, "80", 80.0, True)],
        *[("port", value, ValueError) for value in (-1, 65536)],
        *[("stalled_after", value, ValueError) for value in (0, -5, float("nan"))],
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    broker: Broker, name: str, value: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match=name):
        MetricsServer(**{"broker": broker, name: value})
