"""The README's producer and workers, as they stand there, in processes of their own; one of them is killed."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from lightbroker import Broker
from tests.contract.stores import STORES, fresh_url

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = 50
PATIENCE = 60.0  # seconds


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with fresh_url(STORES[request.param], tmp_path) as url:
        yield url


def program(name: str) -> str:
    """Return the text that the README shows below a file's name."""
    section = README[README.index("## A second process joins") :]
    found = re.search(rf"`{name}`:\n\n```python\n(.*?)```", section, re.DOTALL)
    assert found is not None, f"the README shows no {name}"
    return found[1]


def test_every_block_is_done_though_a_worker_is_killed(url: str, tmp_path: Path) -> None:
    for name in ("producer.py", "worker.py"):
        (tmp_path / name).write_text(program(name), encoding="utf-8")
    with ExitStack() as stack:

        def start(name: str, out: int) -> "subprocess.Popen[str]":
            command = sys.executable, str(tmp_path / name), url
            # A program that a shell runs in the background ignores SIGINT, and so would its children.
            usual = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
            process = subprocess.Popen(command, cwd=ROOT, stdout=out, text=True, preexec_fn=usual)
            stack.enter_context(process)
            stack.callback(process.kill)  # runs before the wait that leaving the process is
            return process

        doomed, survivor = start("worker.py", subprocess.PIPE), start("worker.py", subprocess.DEVNULL)
        producer = start("producer.py", subprocess.DEVNULL)
        assert doomed.stdout is not None
        begun = doomed.stdout.readline()
        doomed.send_signal(signal.SIGKILL)
        assert producer.wait(PATIENCE) == 0

        with Broker(url) as broker:
            queue = broker.queue("blocks")
            until = time.monotonic() + PATIENCE
            while queue.stats().acked < BLOCKS and time.monotonic() < until:
                time.sleep(0.02)
            stats = queue.stats()
            broker.check()
        assert (stats.accepted, stats.acked, stats.held, stats.dead) == (BLOCKS, BLOCKS, 0, 0)
        assert re.fullmatch(r"block \d+, attempt 1\n", begun)
        assert doomed.wait(PATIENCE) == -signal.SIGKILL
        survivor.send_signal(signal.SIGINT)
        survivor.wait(PATIENCE)
