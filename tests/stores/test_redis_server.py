"""The servers that the Redis tests rely on keep what they should, and no more."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.redis_server import AOF_ALWAYS, RedisCluster, RedisServer, fresh_prefix, library, shared_server

pytestmark = pytest.mark.usefixtures("redis_installed")

Start = Callable[..., Any]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a server or a cluster in the folder of the test."""
    with ExitStack() as stack:

        def start(kind: Callable[..., Any], *options: str, **settings: Any) -> Any:
            return stack.enter_context(kind(tmp_path, *options, **settings))

        yield start


@pytest.mark.parametrize(("options", "kept"), [((), None), (AOF_ALWAYS, b"1")], ids=["nothing", "aof"])
def test_a_kill_leaves_what_the_options_say(start: Start, options: tuple[str, ...], kept: bytes | None) -> None:
    server = start(RedisServer, *options)
    with server.client() as client:
        client.set("a", 1)
    server.kill()
    server.start()
    with server.client() as client:
        assert client.get("a") == kept


def test_a_paused_server_answers_when_it_is_resumed(start: Start) -> None:
    server = start(RedisServer)
    redis = library()
    server.pause()
    with redis.Redis.from_url(server.url, socket_timeout=0.05, retry=None) as client:
        with pytest.raises(redis.TimeoutError):
            client.ping()
        server.resume()
    with server.client() as client:
        assert client.ping()


def test_a_password_and_tls_are_asked_for(start: Start) -> None:
    server = start(RedisServer, password="secret", tls=True)
    redis = library()
    with server.client() as client:
        assert client.ping()
    trust = f"?ssl_ca_certs={server.ca}"
    with (
        redis.Redis.from_url(server.url.replace("secret", "guess") + trust) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()
    with redis.Redis.from_url(server.url) as client, pytest.raises(redis.ConnectionError):  # a stranger's certificate
        client.ping()


def test_a_cluster_has_three_nodes_that_share_the_keys(start: Start) -> None:
    cluster = start(RedisCluster)
    with library().RedisCluster.from_url(cluster.url) as client:
        assert len(client.get_primaries()) == 3
        for number in range(30):
            client.set(f"key{number}", number)
    for node in cluster.nodes:
        with node.client() as client:
            assert client.dbsize() > 0


def test_a_fresh_prefix_is_another_one_on_an_empty_server() -> None:
    with fresh_prefix() as first, shared_server().client() as client:
        client.set("left", "behind")
    with fresh_prefix() as second, shared_server().client() as client:
        assert client.dbsize() == 0
    assert first != second
