"""The block pipeline on a recorded chain: heads -> watcher -> queue "blocks" -> workers that check every block.

The recording is replayed faster than it was recorded. A share of the checks fails on purpose, and the message is
retried. A few blocks are changed before the watcher sees them (poison). Their checks fail every time, so they end as
dead letters.
"""

import argparse
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from lightbroker.core.broker import Broker
from lightbroker.core.errors import InvariantError
from lightbroker.core.message import DeadLetter, Message
from lightbroker.core.policy import Retry
from lightbroker.core.stats import QueueStats
from lightbroker.watcher import ChainWatcher, Recording, WatcherStats


class NodeTimeout(Exception):
    """The failure that the demo injects, like one of an unreliable node."""


@dataclass
class Samples:
    """What the workers measured, in seconds. All workers append to the same lists: `list.append` is atomic.

    Attributes:
        waits: Time from the acceptance of a message until its handler started for the first time.
        checks: Time of each check that succeeded.
    """

    waits: list[float] = field(default_factory=list)
    checks: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """The outcome of one run.

    Attributes:
        watched: What the watcher counted.
        queue: The numbers of queue "blocks".
        samples: What the workers measured.
        dead: The dead letters.
        heard: Copies that a subscriber of the topic received.
        seconds: How long the run took.
        law: "holds", or what `Broker.check` complained of.
    """

    watched: WatcherStats
    queue: QueueStats
    samples: Samples
    dead: Sequence[DeadLetter]
    heard: int
    seconds: float
    law: str


class BlockChecker:
    """The handler: it recomputes a block's hash, checks the link to its parent, and sometimes fails on purpose.

    Args:
        chain: The recording, in which parents are looked up.
        samples: Receives the measurements.
        failures: The share of checks that fail on purpose, from 0 to 1.
        seed: Decides, together with block and attempt, which checks fail on purpose.

    Raises:
        MissingLibrary: The extra "demo" is not installed.
    """

    def __init__(self, chain: Recording, samples: Samples, failures: float, seed: int) -> None:
        from lightbroker.watcher.verify import verify_block, verify_link

        self._verify_block, self._verify_link = verify_block, verify_link
        self._chain, self._samples, self._failures, self._seed = chain, samples, failures, seed

    def __call__(self, message: Message) -> None:
        """Check one block. Raises InvalidBlock, or NodeTimeout if the check fails on purpose."""
        started = time.perf_counter()
        if message.attempts == 1:  # a retry also waited for its backoff, which is no queue wait
            self._samples.waits.append(max(0.0, time.time() - message.timestamp))
        block = message.json()
        self._verify_block(block)
        self._verify_link(block, self._chain.block(block["parent_hash"]))
        if random.Random(f"{self._seed} {block['hash']} {block['kind']} {message.attempts}").random() < self._failures:
            raise NodeTimeout(f"block {block['number']}: no answer for its receipts (injected)")
        self._samples.checks.append(time.perf_counter() - started)


def tamper(heads: Iterable[dict[str, Any]], poison: frozenset[str]) -> Iterator[dict[str, Any]]:
    """Yield the heads, and change the gas used in those whose hashes are in `poison`: their hash is then wrong."""
    for head in heads:
        if head["hash"] in poison:
            head = {**head, "gasUsed": hex(int(head["gasUsed"], 16) + 1)}
        yield head


def run(
    options: argparse.Namespace,
    live: Callable[[Callable[[], tuple[WatcherStats, QueueStats]]], AbstractContextManager[object]],
    wait: Callable[[float], bool],
) -> Report:
    """Replay a recording through a broker and its workers.

    Args:
        options: The options of `lightbroker demo`.
        live: Shows the progress while the returned context lasts. It gets a function that returns the current counts of
            the watcher and of the queue.
        wait: Waits for a number of seconds and returns whether to stop early. If so, the running handlers finish, and
            the remaining messages and heads are left.

    Raises:
        RecordingError, OSError: The recording cannot be read.
        MissingLibrary: The extra "demo" is not installed.
    """
    chain = Recording.load(options.recording)
    samples = Samples()
    checker = BlockChecker(chain, samples, options.failures, options.seed)
    hashes = sorted({announced.head["hash"] for announced in chain})
    poison = frozenset(random.Random(options.seed).sample(hashes, min(options.poison, len(hashes))))
    with Broker() as broker:
        retry = Retry(max_attempts=4, base=0.05, cap=0.5, seed=options.seed)
        queue = broker.queue("blocks", capacity=options.capacity, retry=retry)
        heads = broker.subscribe("chain.*", capacity=None)
        watcher = ChainWatcher(broker, chain.block)
        started = time.perf_counter()
        with broker.workers("blocks", checker, options.workers), live(lambda: (watcher.stats, queue.stats())):
            for head in tamper(chain.replay(speed=options.speed, sleep=wait), poison):
                if wait(0.0):
                    break
                watcher.see(head)
            while queue.stats().held and not wait(0.01):
                pass
        seconds = time.perf_counter() - started
        try:
            broker.check()
            law = "holds"
        except InvariantError as error:
            law = str(error)
        dead = list(queue.dead_letters)
        return Report(watcher.stats, queue.stats(), samples, dead, heads.stats().received, seconds, law)
