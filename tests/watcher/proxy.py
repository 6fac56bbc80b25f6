"""A proxy between a watcher and its node that cuts connections in the middle, or stops passing anything on."""

from __future__ import annotations

import random
import socket
import struct
import threading
from contextlib import suppress
from urllib.parse import urlsplit

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset, as a crash or a firewall does


class Proxy:
    """Passes bytes on in both directions; a context manager."""

    def __init__(self, url: str, cuts: int = 0, seed: int = 1) -> None:
        """Stand before the node at `url`, and cut the first `cuts` connections after a number of bytes from it."""
        parts = urlsplit(url)
        self._node = (parts.hostname, parts.port)
        self._cuts = cuts
        self._random = random.Random(seed)
        self._open: list[socket.socket] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}"
        self.refusing = False
        self.connections = 0
        self._threads = [threading.Thread(target=self._accept)]

    def cut(self) -> None:
        """End every connection now."""
        for end in self._open:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def freeze(self) -> None:
        """Pass nothing on, and close nothing."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Pass on again."""
        self._flowing.set()

    def __enter__(self) -> Proxy:
        """Start passing on."""
        self._threads[0].start()
        return self

    def __exit__(self, *error: object) -> None:
        """Cut what is open and end."""
        self.thaw()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        self.cut()
        for thread in self._threads[1:]:
            thread.join()
        for end in self._open:
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refusing:
                client.close()
                continue
            self.connections += 1
            node = socket.create_connection(self._node)
            self._open += (client, node)
            left = None
            if self._cuts:
                self._cuts -= 1
                left = int(self._random.lognormvariate(9.0, 1.5))  # from the handshake to some 30 blocks
            for arguments in ((client, node, None), (node, client, left)):
                thread = threading.Thread(target=self._pass_on, args=arguments)
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, target: socket.socket, left: int | None) -> None:
        with suppress(OSError):
            while data := source.recv(4096 if left is None else min(left, 4096)):
                self._flowing.wait()
                target.sendall(data)
                if left is not None:
                    left -= len(data)
                    if left <= 0:
                        break
        for end in (source, target):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
