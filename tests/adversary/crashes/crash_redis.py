"""Redis is killed, paused and restarted while processes push, pull and settle over it; now and then one of them dies.

The workers keep diaries (see `diary`). How much of what they were promised may be gone depends on the setting of Redis:
with `appendfsync always` nothing, with `everysec` what was promised in the two seconds before a kill, without
persistence everything before a kill. The conservation law is checked after each event, under load: the counts that
Redis answers are those of one instant. And every worker must go on by itself.

`python -m tests.adversary.crashes.crash_redis URL DIARY SEED` is a worker.
"""

import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from lightbroker import Broker, InvariantError
from tests.adversary.crashes.diary import Account, Worker, drain, open_queue
from tests.redis_server import AOF_ALWAYS, AOF_EVERYSEC, RedisServer

ROOT = Path(__file__).parents[3]
WORKERS = 2
SILENCE = 0.5  # seconds after which workers give a connection up, so that some pauses are longer
LONGEST_PAUSE = 1.0  # seconds
LONGEST_WORK = 0.3  # seconds between two events
PATIENCE = 30.0  # seconds within which a worker must go on
LATE = 1.0  # seconds from a promise to its line in the diary, at most
WINDOWS = {"always": 0.0, "everysec": 2.0, "none": float("inf")}  # seconds before a kill that may be lost
OPTIONS = {"always": AOF_ALWAYS, "everysec": AOF_EVERYSEC, "none": ()}


def run(events: int, *, seed: int = 1) -> dict[str, Any]:
    """Let so many events happen, half of them at `appendfsync always`, and return what was counted.

    Returns:
        lost: pushed and nowhere to be found; returned: delivered after the ack; excused: both of these where the
        setting allows it; broken: checks of the law that failed; stalled: workers that did not go on. The other counts
        say how much was at stake.

    Raises:
        Unavailable: There is no Redis.
    """
    rng = random.Random(seed)
    quarter = events // 4
    shares = {"always": events - 2 * quarter, "everysec": quarter, "none": quarter}
    totals: dict[str, Any] = dict.fromkeys(("events", "pushed", "acked", "recovered", "excused"), 0)
    totals |= dict.fromkeys(("lost", "returned", "broken", "stalled"), 0)
    for setting, share in shares.items():
        with tempfile.TemporaryDirectory() as folder:
            counts = CrashRun(Path(folder), setting, rng).run(share)
        for name, count in counts.items():
            totals[name] += count
    return totals


def sound(broker: Broker) -> bool:
    """Return whether the law holds."""
    try:
        broker.check()
    except InvariantError as error:
        print(error, file=sys.stderr)
        return False
    return True


class CrashRun:
    """A server with one setting, its workers, and the events that happen to them."""

    def __init__(self, folder: Path, setting: str, rng: random.Random) -> None:
        self.folder, self.setting, self.rng = folder, setting, rng
        self.server = RedisServer(folder, *OPTIONS[setting])
        self.workers: dict[Path, subprocess.Popen[str]] = {}
        self.kills: list[float] = []
        self.started = 0

    def run(self, events: int) -> dict[str, int]:
        """Let the events happen; return what became of all promises."""
        broken = stalled = 0
        with self.server, ExitStack() as stack:
            stack.callback(self.kill_workers)
            self.start_workers(WORKERS)
            with Broker(self.server.url) as broker:
                queue = open_queue(broker)
                happen = cycle((self.kill, self.pause, self.replace_a_worker, self.restart))
                for event in islice(happen, events):
                    time.sleep(self.rng.uniform(0.0, LONGEST_WORK))
                    event()
                    broken += not sound(broker)
                    stalled += self.count_stalled()
                self.kill_workers()
                left = drain(queue)
                broken += not sound(broker)
        account = Account()
        for diary in self.folder.glob("*.diary"):
            account.read(diary.read_text())
        return {"events": events, **account.judge(left, self.excused), "broken": broken, "stalled": stalled}

    def excused(self, moment: float) -> bool:
        """Return whether the setting allows that what was promised at `moment` is gone."""
        window = WINDOWS[self.setting]
        return window > 0.0 and any(kill - window <= moment <= kill + LATE for kill in self.kills)

    def start_workers(self, many: int) -> None:
        """Start so many workers."""
        names = [str(number) for number in range(self.started, self.started + many)]
        self.started += many
        started = {}
        for name in names:
            diary = self.folder / f"{name}.diary"
            diary.touch()
            command = sys.executable, "-m", "tests.adversary.crashes.crash_redis", self.server.url, str(diary), name
            started[diary] = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.workers |= started
        for worker in started.values():
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"

    def kill_workers(self) -> None:
        """Kill the workers that are left."""
        while self.workers:
            _, worker = self.workers.popitem()
            worker.kill()
            with worker:
                pass

    def count_stalled(self) -> int:
        """Return how many workers have not written a line within the time they have for it."""
        sizes = {diary: diary.stat().st_size for diary in self.workers}
        until = time.monotonic() + PATIENCE
        while sizes and time.monotonic() < until:
            time.sleep(0.01)
            sizes = {diary: size for diary, size in sizes.items() if diary.stat().st_size == size}
        return len(sizes)

    def kill(self) -> None:
        """SIGKILL, and a new server on the same data."""
        self.kills.append(time.monotonic())
        self.server.kill()
        time.sleep(self.rng.uniform(0.0, 0.5 * LONGEST_PAUSE))
        self.server.start()

    def pause(self) -> None:
        """SIGSTOP for a while."""
        self.server.pause()
        time.sleep(self.rng.uniform(0.0, LONGEST_PAUSE))
        self.server.resume()

    def restart(self) -> None:
        """SIGTERM, and a new server; what Redis does not keep on the disk is lost here, too."""
        if self.setting == "none":
            self.kills.append(time.monotonic())
        self.server.stop()
        self.server.start()

    def replace_a_worker(self) -> None:
        """SIGKILL to a worker; another takes its place."""
        diary = self.rng.choice(list(self.workers))
        worker = self.workers.pop(diary)
        worker.kill()
        with worker:
            assert worker.wait() == -signal.SIGKILL
        self.start_workers(1)


def _work(url: str, diary: str, seed: str) -> None:
    from lightbroker.stores.redis import connections  # not above: without a client library the tests are skipped

    connections.REPLY_TIMEOUT = SILENCE
    logging.disable()  # it would tell of every outage
    queue = open_queue(Broker(url))
    file = os.open(diary, os.O_WRONLY | os.O_APPEND)
    print("ready", flush=True)
    Worker(queue, file, random.Random(seed)).work()


if __name__ == "__main__":
    _work(*sys.argv[1:])
