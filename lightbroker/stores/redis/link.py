"""The connections of one process to a Redis server or cluster: requests go out, replies come back.

A thread that has a request takes an idle connection, or makes one, and gives it back afterwards. When a connection
breaks, the request is sent again, told that it may have been run before; the scripts make that harmless. Nobody knows
whether the server is away for a moment or for good, so patience ends after a while, in a StoreError.
"""

import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, TypeVar, cast

from redis import exceptions
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.connection import Connection, SSLConnection
from redis.retry import Retry

from lightbroker.core.errors import BrokerError, QueueClosed, StoreError
from lightbroker.stores.redis.scripts import ScriptCall
from lightbroker.stores.redis.trouble import BROKEN, TROUBLE, demoted, explain, passing
from lightbroker.stores.redis.url import Address

T = TypeVar("T")

PATIENCE = 30.0  #: seconds for which a request is tried again
OPENING = 3.0  #: seconds for which a server is looked for at first: an address is wrong more often than a server late
_SILENCE = 10.0  # seconds without an answer after which a connection is given up
_PAUSE = 0.01, 1.0  # seconds between two tries, at first and at most
_TOGETHER = 8  # requests that are on their way at the same time
_OLDEST = (6, 2)


class Wire(Protocol):
    """What the broker needs of a connection of redis-py."""

    def connect(self) -> None:
        """Connect and log in."""

    def send_command(self, *words: str | bytes) -> None:
        """Send one command; connects first if need be."""

    def send_packed_command(self, command: list[bytes], check_health: bool) -> None:
        """Send what is ready to be sent."""

    def read_response(self) -> Any:
        """The next reply."""

    def can_read(self, timeout: float) -> bool:
        """Whether there is something to read within `timeout` seconds."""

    def disconnect(self) -> None:
        """Hang up."""


class RedisLink:
    """Connects to the server at `address`; raises StoreError if there is none that can be used."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._process = os.getpid()
        self._idle: deque[Wire] = deque()
        self._closing = threading.Event()
        self._cluster: Any = None
        self.warning: str | None = None  #: what an operator should know about the server
        self.patiently(self._greet, OPENING)

    def _greet(self, again: bool) -> None:
        connection = self._connect()
        try:
            told = self._inform(connection)
        finally:
            connection.disconnect()
        version = told.get("redis_version", "0")
        if tuple(map(int, version.split(".")[:2])) < _OLDEST:
            raise StoreError(f"{self._address} is Redis {version}; at least {'.'.join(map(str, _OLDEST))} is needed")
        if told.get("maxmemory_policy", "").startswith("allkeys"):
            self.warning = (
                f"{self._address} drops what it likes when it is full (maxmemory-policy {told['maxmemory_policy']}), "
                f"messages too; set it to noeviction"
            )
        if told.get("cluster_enabled") == "1":
            # It finds the node and follows the slots when they move; to try again is `patiently`'s.
            self._cluster = RedisCluster(**self._options, ssl=self._address.tls, retry=Retry(NoBackoff(), 0))

    @staticmethod
    def _inform(connection: Wire) -> dict[str, str]:
        connection.send_command("INFO")
        lines = connection.read_response().decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    @property
    def _options(self) -> dict[str, Any]:
        address = self._address
        return {
            **{"host": address.host, "port": address.port, "username": address.user, "password": address.password},
            **{"socket_timeout": _SILENCE, "socket_connect_timeout": _SILENCE, "socket_keepalive": True, "protocol": 2},
            **({"ssl_cert_reqs": "required", "ssl_check_hostname": True} if address.tls else {}),
        }

    def _connect(self, **place: Any) -> Wire:
        kind = SSLConnection if self._address.tls else Connection
        connection = cast(Wire, kind(**{**self._options, "db": self._address.database, **place}))
        connection.connect()
        return connection

    @property
    def clustered(self) -> bool:
        """Whether it is a cluster, each queue on a node of it."""
        return self._cluster is not None

    def dial(self, tag: str) -> Wire:
        """A connection of one's own to where the queue of that hash tag lives; raises what redis-py raises."""
        if self._cluster is None:
            return self._connect()
        node = self._cluster.get_node_from_key(tag)
        return self._connect(host=node.host, port=node.port)

    def identify(self, connection: Wire) -> str:
        """A name that no other server has; raises what redis-py raises."""
        return self._inform(connection).get("run_id", "")

    def leads_elsewhere(self, tag: str, server: str) -> bool:
        """Whether whoever looks for that hash tag now comes to another server than the one of that name.

        Then the connections that there are lead to a server that may be of no use any more, and are given up. Raises
        what redis-py raises.
        """
        connection = self.dial(tag)
        try:
            elsewhere = self.identify(connection) != server
        finally:
            connection.disconnect()
        if elsewhere:
            hang_up(self._idle)
        return elsewhere

    def renew(self) -> None:
        """Learn anew which node of a cluster has what; raises what redis-py raises."""
        if self._cluster is not None:
            self._cluster.nodes_manager.initialize()

    def call(self, request: ScriptCall, patience: float | None = None) -> list[Any]:
        """Run a script; its reply."""
        return self.call_all((request,), patience)[0]

    def call_all(self, requests: Sequence[ScriptCall], patience: float | None = None) -> list[list[Any]]:
        """Run scripts one after the other, several of them on their way at a time; their replies.

        Raises StoreError if there is none within `patience` seconds (None: half a minute), or it is an error.
        """
        self.check_process()
        if len(requests) == 1:
            return self.patiently(partial(self._run, requests), patience)
        replies: list[list[Any]] = []
        for start in range(0, len(requests), _TOGETHER):
            replies += self.patiently(partial(self._run, requests[start : start + _TOGETHER]), patience)
        return replies

    def check_process(self) -> None:
        """Raise StoreError in a process that was forked off: it must not use its parent's connections."""
        if self._process != os.getpid():
            raise StoreError(f"{self._address} was opened before a fork; open a broker of its own in each process")

    def _run(self, batch: Sequence[ScriptCall], again: bool) -> list[list[Any]]:
        if again:
            for request in batch:
                request.again = True
        if self._cluster is not None:
            return [self._run_in_cluster(request) for request in batch]
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            first, *others = batch
            # In a batch by its text: if only its digest was not known yet, the others would overtake it.
            wires = [first.packed(by_text=bool(others)), *(request.packed() for request in others)]
            connection.send_packed_command(wires, False)
            answers = [self._read(connection) for _ in batch]
            for number, answer in enumerate(answers):
                if type(answer) is exceptions.NoScriptError:
                    connection.send_command(*batch[number].words(by_text=True))
                    answers[number] = self._read(connection)
        except BaseException as error:  # also an interrupt: what comes next on this connection belongs to nobody
            connection.disconnect()
            if isinstance(error, BROKEN):
                hang_up(self._idle)  # the others lead to the same server
            raise
        self._idle.append(connection)
        if any(map(demoted, answers)):
            hang_up(self._idle)
        for answer in answers:
            if isinstance(answer, exceptions.ResponseError):
                raise answer
        return answers

    @staticmethod
    def _read(connection: Wire) -> Any:
        try:
            return connection.read_response()
        except exceptions.ResponseError as error:  # an answer too: the connection is in order
            return error

    def _run_in_cluster(self, request: ScriptCall) -> Any:
        name, *words = request.words()
        try:
            return self._cluster.execute_command(name.decode(), *words)
        except exceptions.NoScriptError:
            name, *words = request.words(by_text=True)
            return self._cluster.execute_command(name.decode(), *words)

    def hashes(self, pattern: str, field: str) -> dict[bytes, bytes]:
        """A field of every hash whose key matches a pattern, by key: the server, or each node, is looked through."""
        self.check_process()
        return self.patiently(lambda again: self._look_through(pattern, field), None)

    def _look_through(self, pattern: str, field: str) -> dict[bytes, bytes]:
        nodes = [{}] if self._cluster is None else self._cluster.get_primaries()
        found = {}
        for node in nodes:
            connection = self._connect(**({"host": node.host, "port": node.port} if node else {}))
            try:
                cursor = b"0"
                while True:
                    connection.send_command("SCAN", cursor, "MATCH", pattern, "COUNT", "1000", "TYPE", "hash")
                    cursor, keys = connection.read_response()
                    for key in keys:
                        connection.send_command("HGET", key, field)
                        value = connection.read_response()
                        if value is not None:
                            found[key] = value
                    if cursor == b"0":
                        break
            finally:
                connection.disconnect()
        return found

    def patiently(self, step: Callable[[bool], T], patience: float | None) -> T:
        """Do `step`, and again if the connection breaks; it is told whether it was done before.

        Raises StoreError if that does not help within `patience` seconds (None: half a minute), or cannot.
        """
        until: float | None = None
        waits = pauses()
        while True:
            if self._closing.is_set():
                raise QueueClosed("the broker is closed")
            try:
                return step(until is not None)
            except TROUBLE as error:
                if not passing(error) or (until is not None and time.monotonic() >= until):
                    raise self.explain(error) from error
                if until is None:  # the first time, which is tried again at once: an old connection says nothing
                    until = time.monotonic() + (PATIENCE if patience is None else patience)
                    wait = 0.0
                else:
                    wait = next(waits)
            self._closing.wait(wait)

    def explain(self, error: BaseException | None) -> BrokerError:
        """The error to raise for one of redis-py's."""
        return explain(self._address, error)

    def close(self) -> None:
        """Give up the connections; who is still trying gives up too."""
        self._closing.set()
        hang_up(self._idle)
        if self._cluster is not None:
            self._cluster.close()


def hang_up(idle: deque[Wire]) -> None:
    """Close the connections that nobody uses."""
    with suppress(IndexError):  # there are no more, or other threads have taken them
        while True:
            idle.pop().disconnect()


def pauses() -> Iterator[float]:
    """How long to wait between tries to connect, in seconds: longer and longer, and never all at the same time."""
    pause, longest = _PAUSE
    while True:
        yield pause * random.uniform(0.5, 1.0)
        pause = min(2.0 * pause, longest)
