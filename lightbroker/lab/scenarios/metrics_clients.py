"""Clients of the metrics server, each in a process of its own.

    python -m lightbroker.lab.scenarios.metrics_clients KIND URL NUMBER

KIND is one of:

    scrape   send GET /metrics every NUMBER seconds on one connection, as Prometheus does
    probe    send GET /health NUMBER times a second, each on a new connection; latency is from the planned time
    slow     hold NUMBER connections that send nothing, or too slowly, or half a request, or never read a response

A client prints a line when it is ready, goes on until its standard input ends, and then prints its counts as JSON.
"""

import http.client
import json
import select
import socket
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

_HEAD = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
_STEP = 0.5  # seconds between two bytes of a slow client


def _go_on_after(seconds: float) -> bool:
    """Wait that many seconds; return False as soon as standard input has ended."""
    return not select.select([sys.stdin], [], [], max(0.0, seconds))[0]


def scrape(host: str, port: int, interval: float) -> dict[str, Any]:
    """Scrape every `interval` seconds until standard input ends; return the counts, and the slowest scrape in ms."""
    connection = http.client.HTTPConnection(host, port, timeout=10)
    times: list[float] = []
    size = failed = 0
    while _go_on_after(interval):
        started = time.perf_counter()
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        size = len(response.read())
        failed += response.status != 200
        times.append((time.perf_counter() - started) * 1e3)
    return {"scrapes": len(times), "failed": failed, "bytes": size, "slowest_ms": max(times, default=None)}


def probe(host: str, port: int, rate: float) -> dict[str, Any]:
    """Ask for the health `rate` times a second until standard input ends.

    Returns:
        The latencies in ms, and how many answers were missing or not 200.
    """
    latencies: list[float] = []
    failed = 0
    start = time.perf_counter()
    while _go_on_after(start + len(latencies) / rate - time.perf_counter()):
        connection = http.client.HTTPConnection(host, port, timeout=10)
        try:
            connection.request("GET", "/health")
            response = connection.getresponse()
            response.read()
            failed += response.status != 200
        except OSError:
            failed += 1
        finally:
            connection.close()
        latencies.append((time.perf_counter() - start - len(latencies) / rate) * 1e3)
    return {"latencies_ms": latencies, "failed": failed}


def slow(host: str, port: int, number: float) -> dict[str, Any]:
    """Hold `number` connections until standard input ends, and replace those that the server closes.

    A quarter each of the connections sends nothing, a byte every half second, half a request, and 20 requests whose
    responses it never reads.

    Returns:
        The fewest connections that were open at one time, and how many were replaced.
    """
    kinds = (b"", _HEAD, _HEAD[:20], (_HEAD + b"\r\n") * 20)  # what each kind sends at first

    def dial(kind: int) -> socket.socket:
        sock = socket.create_connection((host, port), timeout=10)
        sock.setblocking(False)
        sock.send(kinds[kind])
        return sock

    held = [dial(n % len(kinds)) for n in range(int(number))]
    fewest, replaced = len(held), 0
    while _go_on_after(_STEP):
        ended = []
        for n, sock in enumerate(held):
            try:
                if n % len(kinds) == 1:
                    sock.send(b"X")
                elif n % len(kinds) != 3 and not sock.recv(1):
                    ended.append(n)
            except BlockingIOError:
                pass
            except OSError:
                ended.append(n)
        fewest = min(fewest, len(held) - len(ended))
        replaced += len(ended)
        for n in ended:
            held[n].close()
            held[n] = dial(n % len(kinds))
    return {"fewest_held": fewest, "made_anew": replaced}


#: Every client by its name. It takes the host, the port and NUMBER.
KINDS: dict[str, Callable[[str, int, float], dict[str, Any]]] = {"scrape": scrape, "probe": probe, "slow": slow}

if __name__ == "__main__":
    kind, url, value = sys.argv[1:]
    parts = urlsplit(url)
    print("ready", flush=True)
    print(json.dumps(KINDS[kind](str(parts.hostname), int(parts.port or 80), float(value))))
