"""SIGKILL at any moment: processes that push, pull and settle over one SQLite file are killed while they work.

Each worker keeps a diary of what it was promised (see `diary`). After each round of kills the law must hold and the
file be sound; at the end, what is left is drained: every acknowledged push is acked or there, and nothing was delivered
after its ack.

`python -m tests.adversary.crashes.crash_sqlite URL DIARY SEED` is a worker.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from lightbroker import Broker, InvariantError
from lightbroker.stores.sqlite import connection as sqlite_connection
from tests.adversary.crashes.diary import Account, Worker, drain, open_queue

ROOT = Path(__file__).parents[3]
WORKERS = 2
LONGEST = 0.06  # seconds from the start of the work to the kill
CHECKED = 5  # rounds; between two checks nobody but the workers opens the file


def run(kills: int, *, seed: int = 1) -> dict[str, Any]:
    """Kill `kills` workers, half of them at synchronous=full, and count.

    lost: acknowledged and nowhere to be found; returned: delivered after the ack; broken: checks of the law or of the
    file that failed; the rest says how much was at stake.
    """
    rng = random.Random(seed)
    totals: dict[str, Any] = {
        "kills": 0,
        "pushed": 0,
        "acked": 0,
        "recovered": 0,
        "lost": 0,
        "returned": 0,
        "excused": 0,
        "broken": 0,
    }
    for synchronous, share in (("normal", kills - kills // 2), ("full", kills // 2)):
        with tempfile.TemporaryDirectory() as folder:
            counts = _kill(share, Path(folder), synchronous, rng)
        for name, count in counts.items():
            totals[name] += count
    return totals


def _kill(kills: int, folder: Path, synchronous: str, rng: random.Random) -> dict[str, int]:
    path = folder / "crash.db"
    url = f"sqlite:///{path}?synchronous={synchronous}"
    killed = broken = 0
    while killed < kills:
        command = sys.executable, "-m", "tests.adversary.crashes.crash_sqlite", url
        workers = [
            subprocess.Popen(
                (*command, str(folder / f"{number}.diary"), str(rng.random())),
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(killed, min(killed + WORKERS, kills))
        ]
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            time.sleep(rng.uniform(0.0, LONGEST))
            worker.kill()
            with worker:
                assert worker.wait() == -signal.SIGKILL
            killed += 1
        if killed % (CHECKED * WORKERS) < WORKERS:
            broken += not _sound(path, url)
    broken += not _sound(path, url)
    account = Account()
    for diary in folder.glob("*.diary"):
        account.read(diary.read_text())
    with Broker(url) as broker:
        left = drain(open_queue(broker))
    return {"kills": killed, **account.judge(left), "broken": broken}


def _sound(path: Path, url: str) -> bool:
    with Broker(url) as broker:
        open_queue(broker)
        try:
            broker.check()
        except InvariantError as error:
            print(error, file=sys.stderr)
            return False
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _work(url: str, diary: str, seed: str) -> None:
    rng = random.Random(seed)
    sqlite_connection._CHECKPOINT = rng.choice((1, 30, 4000))  # pages, so that some are killed while they copy the log
    queue = open_queue(Broker(url))
    file = os.open(diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    print("ready", flush=True)
    Worker(queue, file, rng).work()


if __name__ == "__main__":
    _work(*sys.argv[1:])
