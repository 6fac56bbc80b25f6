"""Producers and workers in processes of their own share a queue, and one that is killed takes nothing with it."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lightbroker import Broker
from tests.contract.stores import STORES, fresh_url

from .two_processes import open_queue

ROOT = Path(__file__).parents[2]
NUMBERS = 200
PATIENCE = 20.0  # seconds


@pytest.fixture(params=[name for name, store in STORES.items() if store.durable])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with fresh_url(STORES[request.param], tmp_path) as url:
        yield url


@pytest.fixture
def processes() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def _start(processes: ExitStack, *arguments: str) -> "subprocess.Popen[str]":
    command = (sys.executable, "-m", "tests.stores.two_processes", *arguments)
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    processes.enter_context(process)
    processes.callback(process.kill)  # runs before the process is left, which waits for its end
    return process


def test_a_worker_that_is_killed_in_the_middle_of_its_work_takes_nothing_with_it(
    url: str, processes: ExitStack
) -> None:
    with Broker(url) as broker:
        queue = open_queue(broker)
        producers = [_start(processes, "produce", url, str(NUMBERS)) for _ in range(2)]
        doomed = _start(processes, "work", url, "hang")
        assert doomed.stdout is not None
        assert [doomed.stdout.readline() for _ in range(2)] == ["stuck\n"] * 2
        doomed.kill()
        workers = [_start(processes, "work", url) for _ in range(2)]

        assert [producer.wait(PATIENCE) for producer in producers] == [0, 0]
        until = time.monotonic() + PATIENCE
        while queue.stats().held and time.monotonic() < until:
            time.sleep(0.02)
        done: Counter[int] = Counter()
        attempts: Counter[int] = Counter()
        for worker in workers:
            worker.terminate()
            for line in worker.communicate()[0].splitlines():
                number, attempt = map(int, line.split())
                done[number] += 1
                attempts[attempt] += 1
            assert worker.returncode == 0

        assert done.keys() == set(range(NUMBERS))
        assert min(done.values()) == 2  # each producer's; more if this machine stalled for longer than a lease
        assert attempts[2] >= 2  # what the killed one had begun
        stats = queue.stats()
        assert (stats.accepted, stats.acked, stats.held) == (2 * NUMBERS, 2 * NUMBERS, 0)
        broker.check()
