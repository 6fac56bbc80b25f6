"""The connections of one process to a Redis server or cluster: calls of scripts go out, replies come back.

A thread that has a call takes an idle connection, or opens one, and gives it back afterwards. When a connection breaks,
the call is sent again, marked as one that may have run before. The scripts make a second run harmless. Whether the
server is away for a moment or for good cannot be known, so after half a minute the call raises StoreError.

The pool, the retries and the script objects of redis-py could not keep these promises; docs/decisions/redis-client.md
says which.
"""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, cast

from redis import exceptions
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.connection import Connection, SSLConnection
from redis.retry import Retry

from lightbroker.core.errors import StoreError
from lightbroker.stores.redis.call_retries import CONNECTION_ERRORS, NOT_RUN, REDIS_ERRORS, Retries, is_from_replica
from lightbroker.stores.redis.scripts import ScriptCall
from lightbroker.stores.redis.url import Address

OPENING = 3.0  #: seconds for which a server is looked for at first: an address is wrong more often than a server late
REPLY_TIMEOUT = 10.0  #: seconds without a reply after which a connection is given up
_PIPELINED = 8  # calls that are sent before the first reply is read
_OLDEST = (6, 2)  # version of Redis


class ServerConnection(Protocol):
    """What the broker needs of a connection of redis-py."""

    def connect(self) -> None:
        """Connect and log in."""

    def send_command(self, *words: str | bytes) -> None:
        """Send one command; connects first if need be."""

    def send_packed_command(self, command: list[bytes], check_health: bool) -> None:
        """Send what is ready to be sent."""

    def read_response(self) -> Any:
        """Return the next reply."""

    def can_read(self, timeout: float) -> bool:
        """Return whether there is something to read within `timeout` seconds."""

    def disconnect(self) -> None:
        """Close the connection."""


class Connections:
    """The connections to the server at `address`, or to the cluster that it belongs to.

    Raises StoreError if there is no server that can be used.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._process = os.getpid()
        self._idle: deque[ServerConnection] = deque()  # of a cluster only those of `run_once`
        self._cluster: Any = None
        self.retries = Retries(address)
        self.warning: str | None = None  #: what an operator should know about the server
        self.retries.call(self._greet, OPENING)

    def _greet(self, again: bool) -> None:
        connection = self._connect()
        try:
            info = self._read_info(connection)
        finally:
            connection.disconnect()
        version = info.get("redis_version", "0")
        if tuple(map(int, version.split(".")[:2])) < _OLDEST:
            raise StoreError(f"{self._address} is Redis {version}; at least {'.'.join(map(str, _OLDEST))} is needed")
        if info.get("maxmemory_policy", "").startswith("allkeys"):
            self.warning = (
                f"{self._address} drops what it likes when it is full (maxmemory-policy {info['maxmemory_policy']}), "
                f"messages too; set it to noeviction"
            )
        if info.get("cluster_enabled") == "1":
            # It finds the node of a key and follows slots that move. Trying again is left to `retries`.
            self._cluster = RedisCluster(**self._options, ssl=self._address.tls, retry=Retry(NoBackoff(), 0))

    @staticmethod
    def _read_info(connection: ServerConnection) -> dict[str, str]:
        connection.send_command("INFO")
        lines = connection.read_response().decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    @property
    def _options(self) -> dict[str, Any]:
        address = self._address
        return {
            **{"host": address.host, "port": address.port, "username": address.user, "password": address.password},
            **{"socket_timeout": REPLY_TIMEOUT, "socket_connect_timeout": REPLY_TIMEOUT, "socket_keepalive": True},
            **{"protocol": 2},
            **({"ssl_cert_reqs": "required", "ssl_check_hostname": True} if address.tls else {}),
        }

    def _connect(self, **place: Any) -> ServerConnection:
        kind = SSLConnection if self._address.tls else Connection
        connection = cast(ServerConnection, kind(**{**self._options, "db": self._address.database, **place}))
        connection.connect()
        return connection

    @property
    def clustered(self) -> bool:
        """Whether the server is one of a cluster, in which each queue has its node."""
        return self._cluster is not None

    def connect(self, tag: str) -> ServerConnection:
        """Open a connection of the caller's own to where keys with that hash tag are; raises what redis-py raises."""
        if self._cluster is None:
            return self._connect()
        node = self._cluster.get_node_from_key(tag)
        return self._connect(host=node.host, port=node.port)

    def identify(self, connection: ServerConnection) -> str:
        """Return a name of the server that no other server has; raises what redis-py raises."""
        return self._read_info(connection).get("run_id", "")

    def leads_elsewhere(self, tag: str, server: str) -> bool:
        """Return whether the address leads to another server than the one of that name by now.

        Then the idle connections are closed: their server may be of no use any more. Raises what redis-py raises.
        """
        connection = self.connect(tag)
        try:
            elsewhere = self.identify(connection) != server
        finally:
            connection.disconnect()
        if elsewhere:
            self._disconnect_idle()
        return elsewhere

    def each_server(self) -> Iterator[ServerConnection]:
        """Yield a connection to the server, or to each primary of the cluster in turn; raises what redis-py raises."""
        places: list[dict[str, Any]] = [{}]
        if self._cluster is not None:
            places = [{"host": node.host, "port": node.port} for node in self._cluster.get_primaries()]
        for place in places:
            connection = self._connect(**place)
            try:
                yield connection
            finally:
                connection.disconnect()

    def find_nodes(self) -> None:
        """Learn anew which node of a cluster has which keys; raises what redis-py raises."""
        if self._cluster is not None:
            self._cluster.nodes_manager.initialize()

    def check_process(self) -> None:
        """Raise StoreError in a process that was forked off: it must not use its parent's connections."""
        if self._process != os.getpid():
            raise StoreError(f"{self._address} was opened before a fork; open a broker of its own in each process")

    def run(self, call: ScriptCall, patience: float | None = None) -> Any:
        """Run a script and return its reply; see `run_all`."""
        return self.run_all((call,), patience)[0]

    def run_all(self, calls: Sequence[ScriptCall], patience: float | None = None) -> list[Any]:
        """Run scripts one after the other, sending several calls at a time, and return their replies.

        Args:
            calls: What to run. A call that is sent again is marked, see `ScriptCall.again`.
            patience: Seconds for which to try again after a connection broke (None: half a minute).

        Raises:
            StoreError: There is no reply within that time, or it is an error.
            QueueClosed: The connections are closed.
        """
        self.check_process()
        if len(calls) == 1:
            return self.retries.call(partial(self._run, calls), patience)
        replies: list[Any] = []
        for start in range(0, len(calls), _PIPELINED):
            replies += self.retries.call(partial(self._run, calls[start : start + _PIPELINED]), patience)
        return replies

    def _run(self, calls: Sequence[ScriptCall], again: bool) -> list[Any]:
        if again:
            for call in calls:
                call.again = True
        if self._cluster is not None:
            return [self._run_in_cluster(call) for call in calls]
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            replies = self._exchange(connection, calls)
        except BaseException as error:  # also an interrupt: what comes next on this connection belongs to nobody
            connection.disconnect()
            if isinstance(error, CONNECTION_ERRORS):
                self._disconnect_idle()  # the others lead to the same server
            raise
        self._idle.append(connection)
        return self._checked(replies)

    def _exchange(self, connection: ServerConnection, calls: Sequence[ScriptCall]) -> list[Any]:
        """Send calls and read their replies, error replies included."""
        first, *others = calls
        # In a batch the first goes as a text: if only its digest was not known yet, the others would overtake it.
        packed = [first.packed(by_text=bool(others)), *(call.packed() for call in others)]
        connection.send_packed_command(packed, False)
        replies = [self._read(connection) for _ in calls]
        for number, reply in enumerate(replies):
            if type(reply) is exceptions.NoScriptError:
                connection.send_packed_command([calls[number].packed(by_text=True)], False)
                replies[number] = self._read(connection)
        return replies

    @staticmethod
    def _read(connection: ServerConnection) -> Any:
        try:
            return connection.read_response()
        except exceptions.ResponseError as error:  # a reply too: the connection is in order
            return error

    def _checked(self, replies: list[Any]) -> list[Any]:
        """Return the replies, or raise the first that is an error."""
        if any(map(is_from_replica, replies)):
            self._disconnect_idle()
        for reply in replies:
            if isinstance(reply, exceptions.ResponseError):
                raise reply
        return replies

    def _run_in_cluster(self, call: ScriptCall) -> Any:
        name, *words = call.words()
        try:
            return self._cluster.execute_command(name.decode(), *words)
        except exceptions.NoScriptError:
            name, *words = call.words(by_text=True)
            return self._cluster.execute_command(name.decode(), *words)

    def run_once(self, call: ScriptCall, tag: str) -> Any:
        """Run a script that must not run twice, whose keys have that hash tag, and return its reply.

        It is sent again only if it certainly did not run. Raises StoreError if there is no reply, and the script may
        have run or not, or if the reply is an error.
        """
        self.check_process()
        return self.retries.call(partial(self._run_once, call, tag), None)

    def _run_once(self, call: ScriptCall, tag: str, again: bool) -> Any:
        if again:
            self.find_nodes()
        connection = self._live_connection() or self.connect(tag)
        try:
            reply = self._checked(self._exchange(connection, (call,)))[0]
        except BaseException as error:
            connection.disconnect()
            if isinstance(error, NOT_RUN):
                raise exceptions.ConnectionError(str(error)) from error
            if isinstance(error, REDIS_ERRORS):
                raise self.retries.explain(error) from error
            raise
        self._idle.append(connection)
        return reply

    def _live_connection(self) -> ServerConnection | None:
        """Take an idle connection that the server has not closed meanwhile, if there is one."""
        with suppress(IndexError):
            while True:
                connection = self._idle.pop()
                if not connection.can_read(timeout=0.0):  # nothing is to be read but the end of the connection
                    return connection
                connection.disconnect()
        return None

    def close(self) -> None:
        """Close the idle connections; a call that is still tried raises QueueClosed."""
        self.retries.close()
        self._disconnect_idle()
        if self._cluster is not None:
            self._cluster.close()

    def _disconnect_idle(self) -> None:
        with suppress(IndexError):  # no more are idle, or other threads have taken them
            while True:
                self._idle.pop().disconnect()
