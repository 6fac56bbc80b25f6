"""Real Redis servers for the tests: on free ports of the loopback, in folders of their own, and gone with the tests.

A server keeps nothing on the disk unless an option says so. It may be killed, paused, and started again on the same
port and data. A cluster is formed without the help of `redis-cli`.
"""

import atexit
import functools
import itertools
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support import Unavailable

SETTLE = 20.0  # seconds within which a server answers, or a cluster is complete, on a busy machine
AOF_ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")  # what is acknowledged is on the disk
AOF_EVERYSEC = ("--appendonly", "yes", "--appendfsync", "everysec")  # ... but for the last second or two

_BUS = 10_000  # the port on which cluster nodes talk to each other lies so far above the one for clients
_SLOTS = 16_384
_prefixes = itertools.count(1)


def library() -> Any:
    """Return the `redis` package; raise Unavailable if it is not installed."""
    try:
        import redis
    except ImportError as error:
        raise Unavailable("the Redis client is missing: pip install redis") from error
    return redis


def check() -> None:
    """Raise Unavailable unless servers can be started and talked to here."""
    library()
    _program("redis-server", "redis-server")


def _program(name: str, package: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise Unavailable(f"{name} is missing: apt-get install {package}")
    return path


def _free_port() -> int:
    while True:
        with socket.socket() as first, socket.socket() as second, suppress(OSError, OverflowError):
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            second.bind(("127.0.0.1", port + _BUS if port + _BUS < 2**16 else port - _BUS))
            return port if port + _BUS < 2**16 else port - _BUS


class RedisServer:
    """One `redis-server`, started when it is entered and killed when it is left.

    Args:
        folder: Where its data and its log are.
        options: Of the server's command line, such as `AOF_ALWAYS`.
        password: Which clients must give.
        tls: Whether clients must speak TLS and trust the certificate `ca`.

    Raises:
        Unavailable: There is no such program, or no client library.
    """

    def __init__(self, folder: Path, *options: str, password: str | None = None, tls: bool = False) -> None:
        self._redis = library()
        self.port = _free_port()
        self.ca = folder / "server.crt"
        self._password, self._tls = password, tls
        self._folder, self._log = folder, folder / "redis.log"
        self._command = [_program("redis-server", "redis-server"), "--bind", "127.0.0.1", "--save", ""]
        self._command += ["--dir", str(folder), "--logfile", str(self._log), *options]
        if password is not None:
            self._command += ["--requirepass", password]
        if tls:
            key = folder / "server.key"
            _certify(self.ca, key)
            self._command += ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
            self._command += ["--tls-cert-file", str(self.ca), "--tls-key-file", str(key)]
        else:
            self._command += ["--port", str(self.port)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients find it. With TLS they must also be told to trust `ca`."""
        user = "" if self._password is None else f":{self._password}@"
        return f"{'rediss' if self._tls else 'redis'}://{user}127.0.0.1:{self.port}/0"

    def client(self) -> Any:
        """Return a `redis.Redis` that looks at the server beside a broker; close it."""
        trust = {"ssl_ca_certs": str(self.ca)} if self._tls else {}
        return self._redis.Redis.from_url(self.url, socket_timeout=SETTLE, **trust)

    def start(self) -> None:
        """Start it, or start it again on the same port and data; return when it has loaded its data and answers."""
        self._repair()
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        until = time.monotonic() + SETTLE
        with self.client() as client:
            while True:
                assert self._process.poll() is None, f"redis-server ended:\n{self._log.read_text()[-2000:]}"
                with suppress(self._redis.ConnectionError):  # also while it loads its data
                    if client.ping():
                        return
                assert time.monotonic() < until, f"redis-server does not answer:\n{self._log.read_text()[-2000:]}"
                time.sleep(0.01)

    def _repair(self) -> None:
        """Repair a log that ends within a transaction, as the operator of a server has to.

        Redis itself cuts only the last command off (Valkey mended that in its pull request 4342). The transaction
        stays open in the log, and the start after next runs half of it.
        """
        for log in (*self._folder.glob("appendonlydir/*.manifest"), *self._folder.glob("appendonly.aof")):
            command = [_program("redis-check-aof", "redis-tools"), "--fix", str(log)]
            subprocess.run(command, input=b"y\n", stdout=subprocess.DEVNULL, check=True)

    def kill(self) -> None:
        """SIGKILL; a paused server dies as well."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM: it writes what it keeps and ends."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP: connections stay open, and nothing is answered until `resume`."""
        self._running.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._running.send_signal(signal.SIGCONT)

    @property
    def _running(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None, "the server was not started"
        return self._process

    def _end(self, how: signal.Signals) -> None:
        self._running.send_signal(how)
        self._running.wait(SETTLE)

    def __enter__(self) -> "RedisServer":
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._process is not None:
            self.kill()


def _certify(certificate: Path, key: Path) -> None:
    """Make a key and a certificate, signed with itself, for 127.0.0.1."""
    command = [_program("openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-out", certificate, "-keyout", key], check=True, capture_output=True)
    ssl.create_default_context(cafile=certificate)  # raises if it cannot be read


class RedisCluster:
    """Three servers that share the slots of a Redis Cluster, none with a replica."""

    def __init__(self, folder: Path) -> None:
        self.nodes = [self._node(folder / f"node{number}") for number in range(3)]

    @staticmethod
    def _node(folder: Path) -> RedisServer:
        folder.mkdir()
        return RedisServer(folder, "--cluster-enabled", "yes", "--cluster-node-timeout", "5000")

    @property
    def url(self) -> str:
        """Where clients find the first node, which names the others."""
        return self.nodes[0].url

    def __enter__(self) -> "RedisCluster":
        try:
            for node in self.nodes:
                node.__enter__()
            self._join()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _join(self) -> None:
        clients = [node.client() for node in self.nodes]
        share = -(-_SLOTS // len(clients))
        for number, client in enumerate(clients):
            slots = range(number * share, min((number + 1) * share, _SLOTS))
            client.execute_command("CLUSTER ADDSLOTS", *slots)
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            if number:
                client.execute_command("CLUSTER MEET", "127.0.0.1", self.nodes[0].port)
        until = time.monotonic() + SETTLE
        while not all(self._complete(client) for client in clients):
            assert time.monotonic() < until, "the cluster does not come together"
            time.sleep(0.02)
        for client in clients:
            client.close()

    def _complete(self, client: Any) -> bool:
        told = client.execute_command("CLUSTER INFO")
        return (told["cluster_state"], told["cluster_known_nodes"]) == ("ok", str(len(self.nodes)))

    def move(self, key: str) -> None:
        """Give the slot of `key`, and all that is in it, to the next node."""
        clients = [node.client() for node in self.nodes]
        names = [client.execute_command("CLUSTER MYID").decode() for client in clients]
        slot = clients[0].execute_command("CLUSTER KEYSLOT", key)
        with library().RedisCluster.from_url(self.url) as cluster:
            old = [node.port for node in self.nodes].index(cluster.get_node_from_key(key).port)
        new = (old + 1) % len(clients)
        clients[new].execute_command(f"CLUSTER SETSLOT {slot} IMPORTING {names[old]}")
        clients[old].execute_command(f"CLUSTER SETSLOT {slot} MIGRATING {names[new]}")
        keys = clients[old].execute_command("CLUSTER GETKEYSINSLOT", slot, 1000)
        if keys:
            clients[old].execute_command("MIGRATE", "127.0.0.1", self.nodes[new].port, "", 0, 5000, "KEYS", *keys)
        for client in (clients[new], *clients):
            client.execute_command(f"CLUSTER SETSLOT {slot} NODE {names[new]}")
        for client in clients:
            client.close()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for node in self.nodes:
            node.__exit__(None, None, None)


@functools.cache
def shared_server() -> RedisServer:
    """Return the server for all tests that do it no harm; it keeps nothing and ends with the tests."""
    folder = tempfile.TemporaryDirectory()
    server = RedisServer(Path(folder.name)).__enter__()
    atexit.register(folder.cleanup)
    atexit.register(server.__exit__, None, None, None)
    return server


@contextmanager
def fresh_prefix() -> Iterator[str]:
    """Give the URL of an empty broker on the shared server, which is emptied afterwards."""
    server = shared_server()
    yield f"{server.url}?prefix=test{next(_prefixes)}"
    with server.client() as client:
        client.flushall()
