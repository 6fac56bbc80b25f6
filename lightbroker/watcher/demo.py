"""The main job on a recorded chain: heads -> watcher -> queue "blocks" -> workers that check every block.

The recording is replayed on a faster time axis. A share of the checks fails on purpose and is tried again; a few blocks
are tampered with before the watcher sees them, fail every time, and end as dead letters.
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
from lightbroker.core.store import QueueStats
from lightbroker.watcher import ChainWatcher, Recording, WatcherStats


class NodeTimeout(Exception):
    """The failure that the demo injects: what a flaky dependency would raise."""


@dataclass
class Samples:
    """What the workers measured, in seconds. They share it: `list.append` is one atomic step."""

    waits: list[float] = field(default_factory=list)
    checks: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """The outcome of one run; `law` says what `Broker.check` found, `heard` counts copies on the topic."""

    watched: WatcherStats
    queue: QueueStats
    samples: Samples
    dead: Sequence[DeadLetter]
    heard: int
    seconds: float
    law: str


class BlockChecker:
    """The handler: recomputes a block's hash, checks the link to its parent, and fails now and then on purpose."""

    def __init__(self, chain: Recording, samples: Samples, failures: float, seed: int) -> None:
        """Read parents from `chain`; `seed`, block and attempt decide which of the checks fail.

        Raises MissingLibrary without the extra "demo".
        """
        from lightbroker.watcher.verify import verify_block, verify_link

        self._verify_block, self._verify_link = verify_block, verify_link
        self._chain, self._samples, self._failures, self._seed = chain, samples, failures, seed

    def __call__(self, message: Message) -> None:
        """Check one block; raises InvalidBlock, or NodeTimeout where a failure is injected."""
        started = time.perf_counter()
        if message.attempts == 1:  # later ones wait for their backoff
            self._samples.waits.append(max(0.0, time.time() - message.timestamp))
        block = message.json()
        self._verify_block(block)
        self._verify_link(block, self._chain.block(block["parent_hash"]))
        if random.Random(f"{self._seed} {block['hash']} {block['kind']} {message.attempts}").random() < self._failures:
            raise NodeTimeout(f"block {block['number']}: no answer for its receipts (injected)")
        self._samples.checks.append(time.perf_counter() - started)


def tamper(heads: Iterable[dict[str, Any]], poison: frozenset[str]) -> Iterator[dict[str, Any]]:
    """Change the gas used in the blocks with these hashes, so that their contents no longer have their hash."""
    for head in heads:
        if head["hash"] in poison:
            head = {**head, "gasUsed": hex(int(head["gasUsed"], 16) + 1)}
        yield head


def run(
    options: argparse.Namespace,
    live: Callable[[Callable[[], tuple[WatcherStats, QueueStats]]], AbstractContextManager[object]],
    wait: Callable[[float], bool],
) -> Report:
    """Replay a recording through broker and workers.

    live: gets a function to ask how far it is; wait: waits so many seconds and says whether to stop: then the handlers
    that run finish, and the rest is left.

    Raises RecordingError or OSError for a recording that cannot be read, MissingLibrary without the extra "demo".
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
