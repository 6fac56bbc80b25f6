"""Whenever a watcher is killed, the queue holds each step of the chain once and in order, acked or not."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lightbroker import Broker, Overflow, Queue, QueueFull
from lightbroker.watcher import ChainWatcher, Journal, JournalError
from lightbroker.watcher.journal import Step
from tests.watcher.toychain import Block, Ledger, ToyNode, added, branch, drain, removed, steps

WINDOW = 6
CHAIN = branch(None, 16)
OTHER = branch(CHAIN[12], 4, "b")
HEADS = [*CHAIN, OTHER[2], OTHER[3], CHAIN[15]]  # over to the other branch in a leap, and back
EXPECTED = added(CHAIN) + removed(CHAIN[13:]) + added(OTHER) + removed(OTHER) + added(CHAIN[13:])


class Killed(BaseException):
    """What a process sees of SIGKILL: nothing that it has not begun is done any more."""


class Doomed(Journal):
    """A journal whose process dies at one of its steps: `moments` says where, the countdown when."""

    def __init__(self, *args: Any, moment: str = "", countdown: int = 0, **options: Any) -> None:
        self._moment, self._countdown = moment, countdown
        super().__init__(*args, **options)
        self._queue = Pushing(self._queue, self._pass)  # type: ignore[assignment]

    def _pass(self, moment: str) -> None:
        if moment == self._moment:
            self._countdown -= 1
            if self._countdown == 0:
                raise Killed

    def _append(self, step: Step) -> None:
        self._pass("before the line")
        if self._moment == "in the line" and self._countdown == 1:
            with open(self._path, "ab") as file:
                file.write(json.dumps({"accepted": step.accepted, "block": step.block.to_dict()}).encode()[:200])
        self._pass("in the line")
        super()._append(step)
        self._pass("before the push")

    def _rewrite(self) -> None:
        self._pass("before a rewrite")
        super()._rewrite()
        self._pass("after a rewrite")


class Pushing:
    """A queue that notices that it was pushed to."""

    def __init__(self, queue: Queue, note: Callable[[str], None]) -> None:
        self.name, self.stats, self._push, self._note = queue.name, queue.stats, queue.push, note

    def push(self, body: object) -> None:
        self._push(body)
        self._note("after the push")


@contextmanager
def life(folder: Path, node: ToyNode, **options: Any) -> Iterator[ChainWatcher]:
    """A watcher's life, from start to end or kill, over what earlier ones left."""
    with Broker(f"sqlite:///{folder / 'store.db'}") as broker:
        journal = Doomed(folder / "journal", broker.queue("blocks"), window=WINDOW, **options)
        try:
            yield ChainWatcher(broker, node.fetch, window=WINDOW, journal=journal)
        finally:
            journal.close()


def queued(folder: Path) -> list[Block]:
    """Everything that is in the queue, which is acked."""
    with Broker(f"sqlite:///{folder / 'store.db'}") as broker:
        return drain(broker)


MOMENTS = ["before the line", "in the line", "before the push", "after the push"]


@pytest.mark.parametrize("moment", [*MOMENTS, "before a rewrite", "after a rewrite"])
def test_a_kill_neither_loses_nor_repeats_a_step(tmp_path: Path, moment: str) -> None:
    node = ToyNode(CHAIN, OTHER)
    kills = range(1, len(EXPECTED) + 1) if moment in MOMENTS else (1, 2)
    for kill in kills:
        folder = tmp_path / str(kill)
        folder.mkdir()
        heads = list(HEADS)
        with pytest.raises(Killed), life(folder, node, moment=moment, countdown=kill) as watcher:
            while heads:
                watcher.see(heads[0])
                del heads[0]
        with life(folder, node) as watcher:
            for head in heads:
                watcher.see(head)
        assert steps(queued(folder)) == EXPECTED


def test_kills_that_follow_each_other_while_blocks_are_acked_change_nothing(tmp_path: Path) -> None:
    node = ToyNode(CHAIN, OTHER)
    bodies: list[Block] = []
    heads = [CHAIN[0], *HEADS]
    moments = itertools.cycle(MOMENTS)
    while heads:
        try:
            with life(tmp_path, node, moment=next(moments), countdown=2) as watcher:
                while heads:
                    watcher.see(heads[0])
                    heads.pop(0)
        except Killed:
            bodies += queued(tmp_path)
    assert steps([*bodies, *queued(tmp_path)]) == EXPECTED


def test_a_branch_that_was_replaced_while_nobody_watched_is_removed(tmp_path: Path) -> None:
    forgetful = ToyNode(OTHER)  # as nodes are: what was replaced cannot be fetched any more
    with life(tmp_path, forgetful) as watcher:
        for head in CHAIN:
            watcher.see(head)
    with life(tmp_path, forgetful) as watcher:
        watcher.see(OTHER[3])
    assert steps(queued(tmp_path)) == added(CHAIN) + removed(CHAIN[13:]) + added(OTHER)


def test_a_store_that_lost_its_last_commits_gets_them_again(tmp_path: Path) -> None:
    """A power cut with synchronous=normal, or a copy of the store that is a little older than the journal."""
    node = ToyNode(CHAIN)
    for heads in (CHAIN[:8], CHAIN[8:12]):
        with life(tmp_path, node) as watcher:
            for head in heads:
                watcher.see(head)
        if heads[0] is CHAIN[0]:
            shutil.copy(tmp_path / "store.db", tmp_path / "older.db")
    shutil.move(tmp_path / "older.db", tmp_path / "store.db")
    with life(tmp_path, node) as watcher:
        watcher.see(CHAIN[12])
    ledger = Ledger()
    for body in queued(tmp_path):
        ledger.apply(body)
    assert ledger.chain == [head["hash"] for head in CHAIN[:13]]


def test_a_push_that_failed_is_finished_by_the_next(tmp_path: Path) -> None:
    with Broker(f"sqlite:///{tmp_path / 'store.db'}") as broker:
        broker.queue("blocks", capacity=2, overflow=Overflow.REJECT)
        journal = Journal(tmp_path / "journal", broker.queue("blocks", capacity=2, overflow=Overflow.REJECT))
        watcher = ChainWatcher(broker, ToyNode(CHAIN).fetch, journal=journal)
        bodies: list[Block] = []
        for head in CHAIN:
            while True:
                try:
                    watcher.see(head)
                    break
                except QueueFull:
                    bodies += drain(broker)
        assert steps([*bodies, *drain(broker)]) == added(CHAIN)
        journal.close()


def test_where_others_push_too_a_restart_repeats_the_newest_block_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for heads in (CHAIN[:3], CHAIN[3:6]):
        with life(tmp_path, ToyNode()) as watcher:
            for head in heads:
                watcher.see(head)
        with Broker(f"sqlite:///{tmp_path / 'store.db'}") as broker:
            broker.push("blocks", {"kind": "theirs", "hash": ""})
    assert "queue blocks has accepted 1 messages that are not the watcher's" in caplog.text
    ours = [step for step in steps(queued(tmp_path)) if step[0] != "theirs"]
    assert ours == added([*CHAIN[:3], *CHAIN[2:6]])


def test_the_file_keeps_to_its_bound(tmp_path: Path) -> None:
    long = branch(None, 200)
    sizes = []
    with life(tmp_path, ToyNode()) as watcher:
        for head in long:
            watcher.see(head)
            sizes.append((tmp_path / "journal").stat().st_size)
    assert max(sizes) < 8 * WINDOW * 500
    assert sorted(os.listdir(tmp_path))[:2] == ["journal", "journal.lock"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda lines: [b"{}\n", *lines[1:]], "line 1: expected format"),
        (lambda lines: [lines[0].replace(b'"blocks",', b'"other",'), *lines[1:]], "line 1: it is about queue 'other'"),
        (lambda lines: [], "line 1"),
        (lambda lines: [*lines[:2], lines[2][:100] + b"\n", *lines[3:]], "line 3"),
        (lambda lines: [*lines[:2], *lines[3:]], "line 3: block 0x.* is no child of the one before it"),
        (lambda lines: [*lines[:2], b"[[" * 50_000 + b"\n", *lines[3:]], "line 3"),
        (lambda lines: [*lines, lines[3].replace(b'"added"', b'"removed"')], "line 18: block 0x.* is removed, but"),
        (lambda lines: lines[:3], "line 3: it ends after 2 of the 6"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(
    tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], complaint: str
) -> None:
    with life(tmp_path, ToyNode()) as watcher:
        for head in CHAIN:
            watcher.see(head)
    if "of the" in complaint:
        with life(tmp_path, ToyNode()):
            pass  # from here on the journal begins with a chain
    path = tmp_path / "journal"
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    before = path.read_bytes()
    with pytest.raises(JournalError, match=complaint), life(tmp_path, ToyNode()):
        pass
    assert path.read_bytes() == before


def test_the_journal_of_another_store_is_refused(tmp_path: Path) -> None:
    with life(tmp_path, ToyNode()) as watcher:
        for head in CHAIN:
            watcher.see(head)
    with life(tmp_path, ToyNode()):
        pass  # from here on the journal begins with a chain, not with the first step
    (tmp_path / "store.db").unlink()
    with pytest.raises(JournalError, match="it belongs to another store"), life(tmp_path, ToyNode()):
        pass


@pytest.mark.skipif(os.name == "nt", reason="Windows has no flock")
def test_two_watchers_cannot_feed_one_queue(tmp_path: Path) -> None:
    second = life(tmp_path, ToyNode())
    with life(tmp_path, ToyNode()), pytest.raises(JournalError, match="in use: another watcher feeds this queue"):
        second.__enter__()
    with life(tmp_path, ToyNode()):
        pass


def test_a_line_that_could_not_be_written_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with life(tmp_path, ToyNode()) as watcher:
        watcher.see(CHAIN[0])
        before = (tmp_path / "journal").read_bytes()

        def fail(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            with pytest.raises(OSError, match="No space left"):
                watcher.see(CHAIN[1])
        assert (tmp_path / "journal").read_bytes() == before
        watcher.see(CHAIN[1])
    assert steps(queued(tmp_path)) == added(CHAIN[:2])
