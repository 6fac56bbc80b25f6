"""A client for tests of the server: one request on one connection, in raw bytes or by a method and a path."""

import http.client
import json
import socket
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from lightbroker.server import MetricsServer
from tests.support import PATIENCE


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)


def connect(server: MetricsServer) -> socket.socket:
    parts = urlsplit(server.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=2 * PATIENCE)


def ask(server: MetricsServer, path: str, method: str = "GET", **headers: str) -> Answer:
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=2 * PATIENCE)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def send(server: MetricsServer, data: bytes) -> bytes:
    """Send bytes and an end; return all that comes back until the server ends the connection, which it must."""
    with connect(server) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return receive(sock)


def receive(sock: socket.socket) -> bytes:
    """All that comes until the other side ends the connection."""
    received = bytearray()
    try:
        while piece := sock.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return bytes(received)
