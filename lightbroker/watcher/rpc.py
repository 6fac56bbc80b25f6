"""One WebSocket to a node: requests, and the heads that it announces (JSON-RPC 2.0 with `eth_subscribe`)."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from lightbroker.watcher.block import block_number
from lightbroker.watcher.errors import BlockUnavailable, ConnectionLost, MissingLibrary, NodeError

try:
    from websockets.exceptions import ConnectionClosed, InvalidURI, WebSocketException
    from websockets.sync.client import connect
    from websockets.uri import parse_uri
except ImportError as error:
    raise MissingLibrary("talking to a node needs websockets; run: pip install 'lightbroker[live]'") from error

ANSWER_TIMEOUT = 30.0
"""Seconds that a node may take to answer a request."""

PING = 20.0
"""Seconds between two pings, and for which a pong may stay out before the connection is given up."""

CLOSING = 2.0
"""Seconds that a node may take to agree to the end of a connection."""

MAX_MESSAGE = 8 * 1024 * 1024
"""Bytes of the longest message that a node may send; a block names each of its transactions with 69."""

MAX_WAITING = 1024
"""How many announced heads are kept while an answer is awaited."""

LAG_RETRIES = 5
"""How often a block that the node announced but does not have yet is asked for again, a second apart."""


def check_address(url: str) -> str:
    """Return `url` if it is a ws:// or wss:// address; raises ValueError, which does not repeat a path with its key."""
    try:
        parse_uri(url)
    except InvalidURI as error:
        raise ValueError(f"a node's address is ws://HOST… or wss://HOST…; this one is wrong: {error.msg}") from None
    return url


class Node:
    """A connection to a node, for one thread at a time; a context manager that closes it.

    Nothing is read ahead of the consumer beyond a small buffer: one that is slow with a head slows the socket down.
    Heads that arrive while an answer is awaited are kept until they are asked for.
    """

    def __init__(self, url: str) -> None:
        """Connect to `url`; raises ValueError if it is no ws:// or wss:// address, ConnectionLost if that fails."""
        check_address(url)
        self._closing = ExitStack()
        try:
            self._socket = self._closing.enter_context(
                connect(url, max_size=MAX_MESSAGE, ping_interval=PING, ping_timeout=PING, close_timeout=CLOSING)
            )
        except (OSError, WebSocketException) as error:
            # Only the host: the path of a provider's address often holds an access key.
            raise ConnectionLost(f"cannot connect to {urlsplit(url).hostname!r}: {error}") from error
        self._requests = 0
        self._heads: deque[tuple[float, dict[str, Any]]] = deque()

    def call(self, method: str, *params: Any) -> Any:
        """Send a request and return its result.

        Raises ConnectionLost if no answer comes, and NodeError if the node refuses.
        """
        self._requests += 1
        request = {"jsonrpc": "2.0", "id": self._requests, "method": method, "params": params}
        deadline = time.monotonic() + ANSWER_TIMEOUT
        try:
            self._socket.send(json.dumps(request))
            while True:
                answer = self._receive(max(0.0, deadline - time.monotonic()))
                if answer is not None and answer.get("id") == self._requests:
                    break
        except TimeoutError as error:
            raise ConnectionLost(f"{method}: no answer within {ANSWER_TIMEOUT:g} s") from error
        except ConnectionClosed as error:
            raise ConnectionLost(f"{method}: the connection was closed") from error
        if "error" in answer:
            raise NodeError(f"{method}: the node refused: {answer['error']!r:.300}")
        return answer.get("result")

    def block(self, digest: str) -> dict[str, Any] | None:
        """Return the block with the hash `digest` and the hashes of its transactions, or None if the node has none."""
        block: dict[str, Any] | None = self.call("eth_getBlockByHash", digest, False)
        return block

    def fetch(self, digest: str) -> dict[str, Any]:
        """Return the block with the hash `digest`, waiting for it; raises BlockUnavailable if it does not come.

        Providers balance requests over many nodes, and the one asked may be behind the one that announced the block.
        """
        for attempt in range(LAG_RETRIES + 1):
            if attempt:
                time.sleep(1.0)
            block = self.block(digest)
            if block is not None:
                return block
        raise BlockUnavailable(f"the node announced block {digest} or a child of it, but does not have it")

    def block_at(self, number: int | str) -> dict[str, Any]:
        """Return the canonical block with that number, or the "latest"; raises BlockUnavailable if there is none."""
        block = self.call("eth_getBlockByNumber", hex(number) if isinstance(number, int) else number, False)
        if not isinstance(block, dict):
            raise BlockUnavailable(f"the node has no block {number}: its chain is shorter, or it is still syncing")
        if number not in ("latest", block_number(block)):
            raise NodeError(f"asked for block {number}, the node answered with block {block_number(block)}")
        return block

    def subscribe(self) -> None:
        """Have new heads announced on this connection; twice means that each is announced twice."""
        self.call("eth_subscribe", "newHeads")

    def head(self, timeout: float | None = None) -> tuple[float, dict[str, Any]]:
        """Wait for the next head and return it with its time of arrival (time.monotonic).

        Raises TimeoutError if none comes within `timeout` seconds, ConnectionLost when the connection is closed.
        """
        deadline = None if timeout is None else time.monotonic() + min(timeout, threading.TIMEOUT_MAX)
        try:
            while not self._heads:
                self._receive(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except ConnectionClosed as error:
            raise ConnectionLost(f"the connection was closed: {error}") from error
        return self._heads.popleft()

    def heads(self) -> Iterator[tuple[float, dict[str, Any]]]:
        """Yield each head with its time of arrival (time.monotonic) until the connection is closed."""
        with suppress(ConnectionLost):
            while True:
                yield self.head()

    def close(self) -> None:
        """Close the connection; any thread may do so, and `heads` then ends."""
        self._closing.close()

    def __enter__(self) -> Node:
        """Return the connection."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def _receive(self, timeout: float | None) -> dict[str, Any] | None:
        """Read one message: keep an announced head, return an answer."""
        text = self._socket.recv(timeout)
        arrived = time.monotonic()
        try:
            message = json.loads(text)
            if message.get("method") != "eth_subscription":
                return dict(message)
            self._heads.append((arrived, dict(message["params"]["result"])))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise NodeError(f"the node sent what is not JSON-RPC: {text[:200]!r}") from error
        if len(self._heads) > MAX_WAITING:
            raise NodeError(f"the node announced more than {MAX_WAITING} heads while an answer was awaited")
        return None
