"""One WebSocket connection to a node: requests, and the heads that it announces (JSON-RPC 2.0, `eth_subscribe`)."""

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
"""Seconds for a node to answer a request."""

PING = 20.0
"""Seconds between two pings, and seconds for the pong to arrive before the connection counts as lost."""

CLOSING = 2.0
"""Seconds for a node to confirm the end of a connection."""

MAX_MESSAGE = 8 * 1024 * 1024
"""Bytes of the longest message that is accepted from a node. In a block, each transaction takes 69 bytes."""

MAX_WAITING = 1024
"""The most announced heads that are kept while the connection waits for an answer."""

LAG_RETRIES = 5
"""How often to ask again, once a second, for a block that the node announced but does not have yet."""


def check_address(url: str) -> str:
    """Return `url` if it is a ws:// or wss:// address.

    Raises ValueError otherwise. Its text does not contain the address, whose path may be an access key.
    """
    try:
        parse_uri(url)
    except InvalidURI as error:
        raise ValueError(f"a node's address is ws://HOST… or wss://HOST…; this one is wrong: {error.msg}") from None
    return url


class Node:
    """A connection to a node, for one thread at a time. It is a context manager, which closes the connection.

    Apart from a small buffer, nothing is read before it is asked for. So a consumer that is slow with a head slows down
    the socket. Heads that arrive while `call` waits for an answer are kept for `head`.

    Args:
        url: The node's WebSocket address.

    Raises:
        ValueError: `url` is not a ws:// or wss:// address.
        ConnectionLost: The node cannot be reached.
    """

    def __init__(self, url: str) -> None:
        check_address(url)
        self._closing = ExitStack()
        try:
            self._socket = self._closing.enter_context(
                connect(url, max_size=MAX_MESSAGE, ping_interval=PING, ping_timeout=PING, close_timeout=CLOSING)
            )
        except (OSError, WebSocketException) as error:
            # The text names only the host, because the path of a provider's address is often an access key.
            raise ConnectionLost(f"cannot connect to {urlsplit(url).hostname!r}: {error}") from error
        self._requests = 0
        self._heads: deque[tuple[float, dict[str, Any]]] = deque()

    def call(self, method: str, *params: Any) -> Any:
        """Send a request, wait for its answer, and return the result.

        Args:
            method: The JSON-RPC method, such as "eth_chainId".
            params: Its parameters, which JSON can hold.

        Raises:
            ConnectionLost: No answer came within ANSWER_TIMEOUT seconds, or the connection was closed.
            NodeError: The node refused, or sent a message that is not JSON-RPC.
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
        """Return the block with the hash `digest` and the hashes of its transactions, or None if it is unknown."""
        block: dict[str, Any] | None = self.call("eth_getBlockByHash", digest, False)
        return block

    def fetch(self, digest: str) -> dict[str, Any]:
        """Return the block with the hash `digest`, and wait some seconds if the node does not have it yet.

        Providers balance requests over many nodes. So the node that is asked may be behind the one that announced the
        block.

        Raises:
            BlockUnavailable: The node still does not have it after LAG_RETRIES more tries.
        """
        for attempt in range(LAG_RETRIES + 1):
            if attempt:
                time.sleep(1.0)
            block = self.block(digest)
            if block is not None:
                return block
        raise BlockUnavailable(f"the node announced block {digest} or a child of it, but does not have it")

    def block_at(self, number: int | str) -> dict[str, Any]:
        """Return a block of the node's chain: the one with that number, or the "latest".

        Raises:
            BlockUnavailable: The node's chain has no such block.
            NodeError: The node answered with another block.
        """
        block = self.call("eth_getBlockByNumber", hex(number) if isinstance(number, int) else number, False)
        if not isinstance(block, dict):
            raise BlockUnavailable(f"the node has no block {number}: its chain is shorter, or it is still syncing")
        if number not in ("latest", block_number(block)):
            raise NodeError(f"asked for block {number}, the node answered with block {block_number(block)}")
        return block

    def subscribe(self) -> None:
        """Ask the node to announce new heads on this connection. With two subscriptions each head comes twice."""
        self.call("eth_subscribe", "newHeads")

    def head(self, timeout: float | None = None) -> tuple[float, dict[str, Any]]:
        """Wait for the next head, and return its time of arrival (seconds of time.monotonic) and the head.

        Args:
            timeout: Seconds to wait at most. None waits for ever.

        Raises:
            TimeoutError: No head came in that time.
            ConnectionLost: The connection was closed.
        """
        deadline = None if timeout is None else time.monotonic() + min(timeout, threading.TIMEOUT_MAX)
        try:
            while not self._heads:
                self._receive(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except ConnectionClosed as error:
            raise ConnectionLost(f"the connection was closed: {error}") from error
        return self._heads.popleft()

    def heads(self) -> Iterator[tuple[float, dict[str, Any]]]:
        """Yield the time of arrival (seconds of time.monotonic) and each head, until the connection is closed."""
        with suppress(ConnectionLost):
            while True:
                yield self.head()

    def close(self) -> None:
        """Close the connection. Any thread may call this; `heads` then ends."""
        self._closing.close()

    def __enter__(self) -> Node:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _receive(self, timeout: float | None) -> dict[str, Any] | None:
        """Read one message. If it is an answer, return it; if it is a head, keep it for `head` and return None."""
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
