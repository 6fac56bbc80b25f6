"""A node that says what a test tells it to, over real WebSockets."""

from __future__ import annotations

import json
import threading
from typing import Any

from websockets.sync.server import ServerConnection, serve

from tests.watcher.toychain import Block, ToyNode

RESULTS = {"eth_chainId": "0x7a69", "web3_clientVersion": "toy/1", "eth_subscribe": "0x1"}


class Server:
    """A node that announces `announcements[0]` on its first subscription, `announcements[1]` on the second, and so on.

    It closes each connection but the last as soon as it has announced everything and answered `answers` fetches.
    """

    def __init__(self, anchor: Block, blocks: list[Block], announcements: list[list[Any]], answers: int = 0) -> None:
        """Serve `blocks`, of which `anchor` is the latest."""
        self.node = ToyNode([anchor, *blocks])
        self.lag = 0
        self.anchor = anchor
        self._announcements = iter(announcements)
        self._left = len(announcements)
        self._answers = answers
        self._server = serve(self._serve, "127.0.0.1", 0, compression=None)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/secret-key"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Server:
        """Start serving."""
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()

    def _serve(self, socket: ServerConnection) -> None:
        subscribed, answers = False, self._answers
        for text in socket:
            request = json.loads(text)
            method, params = request["method"], request["params"]
            answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
            if method == "eth_getBlockByHash":
                self.lag -= 1
                answers -= 1
                answer["result"] = None if self.lag >= 0 else self.node.fetch(params[0])
            elif method in RESULTS:
                answer["result"] = RESULTS[method]
            elif method == "eth_getBlockByNumber":
                answer["result"] = self.anchor
            else:
                answer["error"] = {"code": -32601, "message": "no such method"}
            socket.send(json.dumps(answer))
            if method == "eth_subscribe":
                subscribed = True
                self._left -= 1
                for head in next(self._announcements, ()):
                    message = {"method": "eth_subscription", "params": {"subscription": "0x1", "result": head}}
                    socket.send(head if isinstance(head, str) else json.dumps(message))
            if subscribed and answers <= 0 and self._left > 0:
                return
