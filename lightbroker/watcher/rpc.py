"""One WebSocket to a node: requests, and the heads that it announces (JSON-RPC 2.0 with `eth_subscribe`)."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from lightbroker.watcher.errors import ConnectionLost, MissingLibrary, NodeError

try:
    from websockets.exceptions import ConnectionClosed, WebSocketException
    from websockets.sync.client import connect
except ImportError as error:
    raise MissingLibrary("talking to a node needs websockets; run: pip install 'lightbroker[live]'") from error

ANSWER_TIMEOUT = 30.0
"""Seconds that a node may take to answer a request."""


class Node:
    """A connection to a node, for one thread at a time; a context manager that closes it.

    Nothing is read ahead of the consumer beyond a small buffer: one that is slow with a head slows the socket down.
    Heads that arrive while an answer is awaited are kept until they are asked for.
    """

    def __init__(self, url: str) -> None:
        """Connect to `url`, a ws:// or wss:// address; raises ConnectionLost if that fails."""
        self._closing = ExitStack()
        try:
            self._socket = self._closing.enter_context(connect(url))
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
            raise NodeError(f"{method}: the node refused: {answer['error']}")
        return answer.get("result")

    def block(self, digest: str) -> dict[str, Any] | None:
        """Return the block with the hash `digest` and the hashes of its transactions, or None if the node has none."""
        block: dict[str, Any] | None = self.call("eth_getBlockByHash", digest, False)
        return block

    def subscribe(self) -> None:
        """Have new heads announced on this connection; twice means that each is announced twice."""
        self.call("eth_subscribe", "newHeads")

    def heads(self) -> Iterator[tuple[float, dict[str, Any]]]:
        """Yield each head with its time of arrival (time.monotonic) until the connection is closed."""
        while True:
            while self._heads:
                yield self._heads.popleft()
            try:
                self._receive(None)
            except ConnectionClosed:
                return

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
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise NodeError(f"the node sent what is not JSON-RPC: {text[:200]!r}") from error
        return None
