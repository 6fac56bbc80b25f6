"""The server as others see it: a real Prometheus that scrapes it, and a browser that shows its page."""

import json
import re
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from lightbroker import Broker, ManualClock, Retry
from lightbroker.server import MetricsServer
from tests.support import program, wait_until

STARTING = 60.0  # seconds that a program from outside may need on a machine that is busy


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@contextmanager
def prometheus(target: str, folder: Path) -> Iterator[str]:
    """A Prometheus that scrapes `target` every second; its URL."""
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        f"scrape_configs: [{{job_name: lightbroker, static_configs: [{{targets: ['{urlsplit(target).netloc}']}}]}}]\n"
    )
    port = free_port()
    command = (
        *(program("prometheus", "prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"),
        *(f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"),
    )
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
    assert "error" not in (folder / "log").read_text()


def query(url: str, expression: str) -> list[float]:
    """The values that Prometheus answers; none while it is starting."""
    try:
        with urllib.request.urlopen(f"{url}/api/v1/query?query={quote(expression)}", timeout=5) as response:
            return [float(each["value"][1]) for each in json.load(response)["data"]["result"]]
    except OSError:
        return []


def eventually(url: str, expression: str, expected: list[float]) -> None:
    until = time.monotonic() + STARTING
    while (found := query(url, expression)) != expected:
        assert time.monotonic() < until, f"{expression} is {found}, not {expected}"
        time.sleep(0.1)


def test_prometheus_scrapes_it_and_has_the_numbers(broker: Broker, clock: ManualClock, tmp_path: Path) -> None:
    queue = broker.queue('blo"cks\\', capacity=500, retry=Retry(max_attempts=1))
    queue.push_many(["a"] * 7)
    queue.pull(timeout=0).reject("bad")
    with broker.workers(queue.name, lambda message: clock.advance(0.7), workers=1):
        wait_until(lambda: queue.stats().acked == 6)
    queue.push("b")
    name = '{queue="blo\\"cks\\\\"}'
    with MetricsServer(broker) as server, prometheus(server.url, tmp_path) as url:
        eventually(url, "up", [1.0])
        eventually(url, f'lightbroker_messages_total{name[:-1]},event="accepted"}}', [8.0])
        eventually(url, f'lightbroker_queue_messages{name[:-1]},state="dead"}}', [1.0])
        eventually(url, f"lightbroker_queue_capacity_messages{name}", [500.0])
        eventually(url, f"histogram_quantile(1, lightbroker_message_processing_seconds_bucket{name})", [1.0])
        queue.pull(timeout=0).ack()
        eventually(url, f'lightbroker_messages_total{name[:-1]},event="acked"}}', [7.0])


def rendered(url: str) -> str:
    """The page after its script has run for some seconds of the browser's own, faster time."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = (
            *(program("chromium", "chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *("--disable-dev-shm-usage", f"--user-data-dir={profile}", "--virtual-time-budget=4000", "--dump-dom", url),
        )
        run = subprocess.run(command, capture_output=True, text=True, timeout=2 * STARTING)
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout


def field(card: str, name: str) -> str:
    found = re.search(rf'data-field="{name}"[^>]*>([^<]*)<', card)
    assert found, f"{name} is not in {card}"
    return found[1]


@pytest.mark.timeout(240)
def test_a_browser_shows_the_numbers_and_runs_no_name_as_code(broker: Broker, clock: ManualClock) -> None:
    queue = broker.queue("blocks", capacity=2000, retry=Retry(max_attempts=1))
    with broker.workers("blocks", lambda message: clock.advance(0.04), workers=1):
        queue.push_many(["a"] * 5)
        wait_until(lambda: queue.stats().acked == 5)
    queue.push("bad")
    queue.pull(timeout=0).reject("bad")
    queue.push_many(["b"] * 1234)
    queue.push_many(["c"] * 17, delay=100.0)
    queue.pull_many(3)
    clock.advance(12.0)
    broker.queue("<img/src=x/onerror=document.title='run'>", capacity=None)
    with MetricsServer(broker) as server:
        page = rendered(server.url)
    assert "<title>LightBroker</title>" in page
    assert re.search('id="status"[^>]*>ok<', page)
    strange, blocks = re.findall("<article>.*?</article>", page.partition("<template")[0], re.DOTALL)
    assert field(strange, "capacity") == "held, no bound"
    assert "&lt;img/src" in strange
    expected = {"ready": "1,231", "leased": "3", "delayed": "17", "dead": "1", "held": "1,251", "capacity": "of 2,000"}
    assert {name: field(blocks, name) for name in expected} == expected
    assert (field(blocks, "accepted"), field(blocks, "acked"), field(blocks, "oldest")) == ("1,257", "5", "12 s")
    assert field(blocks, "acked_rate") == "–", "the clock of this broker stands still"
    times = re.findall("<td>([^<]*)</td>", blocks.partition('data-series="processing"')[2])
    assert times == ["38 ms", "48 ms", "50 ms", "5"]
    assert 'aria-valuenow="1251"' in blocks
    assert 'href="queues/blocks/dlq"' in blocks


@pytest.mark.timeout(240)
def test_a_browser_shows_why_the_broker_is_not_well(broker: Broker, clock: ManualClock) -> None:
    with MetricsServer(broker) as server:
        broker.push("blocks", "a")
        urllib.request.urlopen(f"{server.url}/health", timeout=30).close()
        clock.advance(100.0)
        page = rendered(server.url)
    assert re.search('id="status"[^>]*>stalled<', page)
    assert re.search('id="reason">queue .blocks. has 1 ready and settled none for 100 s<', page)
