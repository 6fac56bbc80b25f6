"""Requests that are none: whatever comes, the server raises nothing, keeps nothing and still answers the others.

Each of them is a right request that was cut, mutated, stretched or replaced by noise, and a connection that ends in one
of the ways in which connections end.
"""

import logging
import os
import random
import socket
import struct
import threading
import time
from collections import Counter
from typing import Any

from lightbroker import Broker
from lightbroker.server import MetricsServer
from tests.server.http_client import ask, connect, receive

RIGHT = (
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9100\r\nAccept: text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n\r\n",
    b"HEAD /queues/q%2F1/dlq?limit=5 HTTP/1.0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
)
ENDS = ("wait", "half", "close", "reset")
PATIENCE = 30.0  # seconds until what is held counts as left behind; longer than any time limit of the server
FAULTS = ("errors", "unanswered", "threads", "descriptors")
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


class Records(logging.Handler):
    """Counts what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


def noise(rng: random.Random) -> bytes:
    """Something that is most likely no request."""
    right = rng.choice(RIGHT)
    at = rng.randrange(len(right))
    kind = rng.randrange(7)
    if kind == 0:
        return rng.randbytes(rng.randrange(1, 300)) + rng.choice((b"", b"\r\n\r\n"))
    if kind == 1:
        return right[:at]
    if kind == 2:
        return right[:at] + rng.randbytes(rng.randrange(1, 4)) + right[at:]
    if kind == 3:
        return right[:at] + right[at + rng.randrange(1, 20) :]
    if kind == 4:
        return right[:at] + right[at : at + 1] * rng.choice((100, 9_000, 70_000)) + right[at:]
    if kind == 5:
        return right.replace(b"\r\n", rng.choice((b"\n", b"\r", b"\r\n ", b"\0\r\n", b"\r\r\n")))
    return right * rng.randrange(2, 9) + right[:at]


def disturb(server: MetricsServer, data: bytes, end: str) -> bytes:
    """Send `data` on a connection of its own and end it: what came back, if that was waited for."""
    with connect(server) as sock:
        try:
            sock.sendall(data)
            if end == "half":
                sock.shutdown(socket.SHUT_WR)
                return receive(sock)
            if end == "wait":
                sock.settimeout(0.002)
                return sock.recv(100)
            if end == "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        except OSError:  # the server was first
            pass
        return b""


def run(requests: int, seed: int = 1) -> dict[str, Any]:
    """Send so many; what was logged as errors, who got no answer in between, threads and descriptors left behind."""
    rng = random.Random(seed)
    records = Records()
    log = logging.getLogger("lightbroker")
    log.addHandler(records)
    answers: Counter[str] = Counter()
    unanswered = 0
    try:
        with Broker() as broker, MetricsServer(broker) as server:
            broker.queue("q/1")
            before = held()
            for number in range(requests):
                received = disturb(server, noise(rng), rng.choice(ENDS))
                answers[received[9:12].decode("latin-1") or "none"] += 1
                if number % 50 == 0:
                    unanswered += ask(server, "/health").status != 200
            unanswered += ask(server, "/health").status != 200
            until = time.monotonic() + PATIENCE
            while (after := held()) != before and time.monotonic() < until:
                time.sleep(0.01)
    finally:
        log.removeHandler(records)
    return {
        "requests": requests,
        "answers": dict(sorted(answers.items())),
        "errors": records.texts[:10],
        "unanswered": unanswered,
        "threads": after[0] - before[0],
        "descriptors": after[1] - before[1],
    }


def held() -> tuple[int, int]:
    """The threads and descriptors of this process."""
    folder = "/proc/self/fd"
    return threading.active_count(), len(os.listdir(folder)) if os.path.exists(folder) else 0
