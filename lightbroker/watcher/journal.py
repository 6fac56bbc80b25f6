"""A watcher's memory of what it has queued, in a file: killed at any moment, it goes on without a gap or a repetition.

The queue holds the blocks but forgets them when they are acked, and a node forgets those that it replaced. So each step
is written here first and pushed second (write-ahead, as in a database's log). A kill between the two leaves one step in
doubt, and the queue itself tells whether it arrived: its count of accepted messages, which it keeps in the same
transaction as the message, is written beside the step. Steps that the count does not cover are pushed again, so that
the queue holds each step exactly once. (The redo pass of ARIES compares a log record with a page in the same way:
Mohan and others, ACM TODS 17, 1992.)

A checkpoint written after the push could repeat a block, or announce a branch whose rival is in the queue and unknown;
a ledger of the hashes that a consumer has handled cannot tell a repetition from a block that a reorganisation removed
and brought back.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from lightbroker.core.errors import check_count
from lightbroker.core.queue import Queue
from lightbroker.watcher.block import BlockMessage
from lightbroker.watcher.errors import JournalError

log = logging.getLogger(__name__)

FORMAT = "lightbroker-journal"
VERSION = 1


class Step(NamedTuple):
    """A block that joined or left the chain, and how many messages the queue has accepted once it holds it."""

    accepted: int
    block: BlockMessage


class Journal:
    """Pushes blocks to a queue that survives the process, each exactly once.

    Nobody else may push to that queue, because its count is the proof. If somebody does, the count says more than the
    journal, and a restart warns and queues the newest block again.
    """

    def __init__(self, path: str | os.PathLike[str], queue: Queue, *, window: int = 256) -> None:
        """Open or make the file at `path`, and push to `queue` what it says was to be pushed and was not.

        `window` is how many of the newest blocks are kept. Raises JournalError if the file is damaged, in use by
        another watcher or not about this queue, OSError if it cannot be written, and whatever the push raises.
        """
        self._path = Path(path)
        self._queue = queue
        self._window = check_count("window", window)
        self._lock = _lock(self._path)
        try:
            self._floor, self._bottom, self._steps = self._read()
            self._doubtful = True
            self._rewrite()
            self._redo()
        except BaseException:
            self.close()
            raise

    @property
    def chain(self) -> tuple[BlockMessage, ...]:
        """The newest blocks of the chain that the queue was told, oldest first: what a new watcher goes on from."""
        return tuple(step.block for step in self._fold(self._steps))

    def push(self, block: BlockMessage) -> None:
        """Write the step down, then push it. After an error, call it again with the same block to finish."""
        if self._doubtful:
            self._redo()
            return
        if len(self._steps) >= 4 * self._window:
            self._rewrite()
        step = Step(self._queue.stats().accepted + 1, block)
        self._append(step)
        self._steps.append(step)
        self._doubtful = True
        self._queue.push(block.to_dict())
        self._doubtful = False

    def close(self) -> None:
        """Let another watcher have the file."""
        os.close(self._lock)

    def _redo(self) -> None:
        """Push the steps that the queue has not accepted: none or one, but more if its store lost its last commits."""
        accepted = self._queue.stats().accepted
        if accepted < self._floor:
            raise JournalError(
                f"{self._path}: queue {self._queue.name!r} has accepted {accepted} messages, fewer than the "
                f"{self._floor} that this journal begins with: it belongs to another store; move it away to start anew"
            )
        if self._steps and accepted > self._steps[-1].accepted:
            log.warning(
                "queue %s has accepted %d messages that are not the watcher's: its newest block may come twice",
                *(self._queue.name, accepted - self._steps[-1].accepted),
            )
            accepted = self._steps[-1].accepted - 1
        for step in self._steps:
            if step.accepted > accepted:
                self._queue.push(step.block.to_dict())
        self._doubtful = False

    def _fold(self, steps: Iterable[Step]) -> list[Step]:
        """The steps that added the blocks of the chain after `steps`; raises ValueError if one does not fit."""
        chain = list(self._bottom)
        for step in steps:
            self._apply(chain, step)
        return chain

    def _apply(self, chain: list[Step], step: Step) -> None:
        tip = chain[-1].block.hash if chain else None
        if step.block.kind == "removed":
            if step.block.hash != tip:
                raise ValueError(f"block {step.block.hash} is removed, but the newest is {tip}")
            chain.pop()
            return
        if tip is not None and step.block.parent_hash != tip:
            raise ValueError(f"block {step.block.hash} is no child of the one before it, {tip}")
        chain.append(step)
        del chain[: -self._window]

    # The file: a line of JSON that says what it is about, then one for each step.

    def _read(self) -> tuple[int, list[Step], list[Step]]:
        """What the queue had accepted where the steps begin, the chain there, and the steps."""
        self._bottom = []
        try:
            lines = self._path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return self._queue.stats().accepted, [], []
        steps: list[Step] = []
        chain: list[Step] = []
        number = 1
        try:
            floor, blocks = self._read_title(lines[0] if lines else b"")
            for number, line in enumerate(lines[1:], 2):
                if number == len(lines) > 1 + blocks and not line.endswith(b"\n"):
                    break  # torn by what ended the process, before the push of this step began
                record = json.loads(line)
                step = Step(int(record["accepted"]), BlockMessage.from_dict(record["block"]))
                self._apply(chain, step)
                steps.append(step)
            if len(steps) < blocks:
                raise ValueError(f"it ends after {len(steps)} of the {blocks} blocks that it begins with")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise JournalError(f"{self._path}, line {number}: {error}; move the file away to start anew") from error
        return floor, steps[:blocks], steps[blocks:]

    def _read_title(self, line: bytes) -> tuple[int, int]:
        title = json.loads(line)
        if not isinstance(title, dict) or (title.get("format"), title.get("version")) != (FORMAT, VERSION):
            raise ValueError(f"expected format {FORMAT!r} version {VERSION}")
        if title["queue"] != self._queue.name:
            raise ValueError(f"it is about queue {title['queue']!r}, not {self._queue.name!r}")
        return int(title["accepted"]), int(title["blocks"])

    def _rewrite(self) -> None:
        """Replace all but the newest steps by the chain that they led to, in one atomic step: the rename."""
        old, new = self._steps[: -self._window], self._steps[-self._window :]
        bottom, floor = self._fold(old), old[-1].accepted if old else self._floor
        title = {"format": FORMAT, "version": VERSION, "queue": self._queue.name}
        fresh = self._path.with_name(f"{self._path.name}.new")
        with open(fresh, "wb") as file:
            file.write(_line({**title, "accepted": floor, "blocks": len(bottom)}))
            file.writelines(_line(_record(step)) for step in (*bottom, *new))
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self._path)
        _sync_folder(self._path)
        self._floor, self._bottom, self._steps = floor, bottom, new

    def _append(self, step: Step) -> None:
        line = _line(_record(step))
        with open(self._path, "ab", buffering=0) as file:
            end = file.tell()
            try:
                if file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
                os.fsync(file.fileno())
            except BaseException:
                file.truncate(end)
                raise


def _record(step: Step) -> dict[str, Any]:
    return {"accepted": step.accepted, "block": step.block.to_dict()}


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


if sys.platform == "win32":

    def _lock(path: Path) -> int:
        return os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT)

    def _sync_folder(path: Path) -> None:
        """Windows has no such call."""

else:
    import fcntl

    def _lock(path: Path) -> int:
        """Lock `path` against other watchers until the process ends; a file of its own, as `path` is replaced."""
        lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise JournalError(f"{path} is in use: another watcher feeds this queue; stop it first") from None
        return lock

    def _sync_folder(path: Path) -> None:
        """Make the rename of a file survive a power cut."""
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
