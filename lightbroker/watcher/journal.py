"""The journal: a file that tells a restarted watcher which blocks were queued, so it neither skips nor repeats one.

Neither the queue nor the node can tell. The queue forgets a block when it is acked, and a node forgets the blocks that
a reorganisation replaced.

A step is a block that joins or leaves the chain. Each step is written to the journal first and pushed second
(write-ahead logging, as in a database). If the process is killed between the two, that step is in doubt: it may be in
the queue or not. The queue's count of accepted messages decides. The queue raises this count in the same transaction
that adds the message, and the journal keeps, with each step, what the count is once the step is in the queue. After a
restart, the steps that the count does not cover are pushed again. So the queue accepts each step exactly once. (The
redo pass of ARIES compares a log record with a page in the same way: Mohan and others, ACM TODS 17, 1992.)

Two simpler designs fail:

- A checkpoint that is written after the push. A kill between the two repeats the block. Or the node has replaced the
  block meanwhile, and the restarted watcher does not know that it must report the block as removed.
- A list of the hashes that a consumer has handled. It cannot tell a repetition from a block that a reorganisation
  removed and later brought back.
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
    """A block that joined or left the chain; `accepted` is what the queue's count is once this step is in the queue."""

    accepted: int
    block: BlockMessage


class Journal:
    """Pushes blocks to a queue that outlives the process, and makes sure that the queue accepts each exactly once.

    Opening a journal makes the file, or reads it and pushes the steps that the queue has not accepted.

    Only the watcher may push to that queue, because the journal relies on the queue's count of accepted messages. If
    another producer pushes too, a restart logs a warning and queues the newest block again.

    Args:
        path: The file. Beside it there is a second one, for the lock, whose name ends in ".lock".
        queue: The queue to push to, in a store that outlives the process.
        window: How many of the newest blocks the journal keeps.

    Raises:
        JournalError: The file is damaged, in use by another watcher, or belongs to another queue or store.
        OSError: The file cannot be read or written.
        BrokerError: A push failed, with QueueFull for example.
    """

    def __init__(self, path: str | os.PathLike[str], queue: Queue, *, window: int = 256) -> None:
        self._path = Path(path)
        self._queue = queue
        self._window = check_count("window", window)
        self._lock = _lock(self._path)
        try:
            # The file holds a base and the steps after it. The base is the chain at one moment, as the steps that added
            # its blocks, and what the queue had accepted at that moment.
            self._base_accepted, self._base, self._steps = self._read()
            self._in_doubt = True  # whether the queue may lack the newest steps
            self._rewrite()
            self._redo()
        except BaseException:
            self.close()
            raise

    @property
    def chain(self) -> tuple[BlockMessage, ...]:
        """The newest blocks of the chain that the steps lead to, oldest first. A new watcher continues from them."""
        return tuple(step.block for step in self._chain_after(self._steps))

    def push(self, block: BlockMessage) -> None:
        """Write a step to the journal, then push it.

        After an error, call it again with the same block: the step is then pushed unless the queue has accepted it.

        Args:
            block: The block that joined or left the chain.

        Raises:
            OSError: The step could not be written.
            BrokerError: The push failed, with QueueFull for example.
        """
        if self._in_doubt:
            self._redo()
            return
        if len(self._steps) >= 4 * self._window:
            self._rewrite()
        step = Step(self._queue.stats().accepted + 1, block)
        self._append(step)
        self._steps.append(step)
        self._in_doubt = True
        self._queue.push(block.to_dict())
        self._in_doubt = False

    def close(self) -> None:
        """Unlock the file, so that another watcher can open it."""
        os.close(self._lock)

    def _redo(self) -> None:
        """Push the steps that the queue has not accepted.

        There is at most one such step, or several if the store lost its last commits, in a power cut for example.
        """
        accepted = self._queue.stats().accepted
        if accepted < self._base_accepted:
            raise JournalError(
                f"{self._path}: queue {self._queue.name!r} has accepted {accepted} messages, fewer than the "
                f"{self._base_accepted} that this journal begins with: it belongs to another store; move it away to "
                "start anew"
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
        self._in_doubt = False

    def _chain_after(self, steps: Iterable[Step]) -> list[Step]:
        """Return the chain after the base and `steps`, as the steps that added its blocks."""
        chain = list(self._base)
        for step in steps:
            self._apply(chain, step)
        return chain

    def _apply(self, chain: list[Step], step: Step) -> None:
        """Add or remove one block. Raises ValueError if the step does not fit the chain."""
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

    # The file is JSON, one object a line. The first line, the title, names the queue, says what the queue had accepted
    # at the base, and how many of the next lines are the base. The other lines are the steps after it.

    def _read(self) -> tuple[int, list[Step], list[Step]]:
        """Return what the queue had accepted at the base, the base, and the steps after it."""
        try:
            lines = self._path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return self._queue.stats().accepted, [], []
        steps: list[Step] = []
        chain: list[Step] = []
        number = 1
        try:
            base_accepted, blocks = self._parse_title(lines[0] if lines else b"")
            for number, line in enumerate(lines[1:], 2):
                if number == len(lines) > 1 + blocks and not line.endswith(b"\n"):
                    break  # the process ended while it wrote this step, so the push had not begun
                record = json.loads(line)
                step = Step(int(record["accepted"]), BlockMessage.from_dict(record["block"]))
                self._apply(chain, step)
                steps.append(step)
            if len(steps) < blocks:
                raise ValueError(f"it ends after {len(steps)} of the {blocks} blocks that it begins with")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise JournalError(f"{self._path}, line {number}: {error}; move the file away to start anew") from error
        return base_accepted, steps[:blocks], steps[blocks:]

    def _parse_title(self, line: bytes) -> tuple[int, int]:
        title = json.loads(line)
        if not isinstance(title, dict) or (title.get("format"), title.get("version")) != (FORMAT, VERSION):
            raise ValueError(f"expected format {FORMAT!r} version {VERSION}")
        if title["queue"] != self._queue.name:
            raise ValueError(f"it is about queue {title['queue']!r}, not {self._queue.name!r}")
        return int(title["accepted"]), int(title["blocks"])

    def _rewrite(self) -> None:
        """Write a shorter file: a new base, which is the chain that the older steps led to, and the newest steps.

        The rename replaces the old file in one atomic step.
        """
        old, new = self._steps[: -self._window], self._steps[-self._window :]
        base, base_accepted = self._chain_after(old), old[-1].accepted if old else self._base_accepted
        title = {"format": FORMAT, "version": VERSION, "queue": self._queue.name}
        fresh = self._path.with_name(f"{self._path.name}.new")
        with open(fresh, "wb") as file:
            file.write(_line({**title, "accepted": base_accepted, "blocks": len(base)}))
            file.writelines(_line(_record(step)) for step in (*base, *new))
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self._path)
        _sync_folder(self._path)
        self._base_accepted, self._base, self._steps = base_accepted, base, new

    def _append(self, step: Step) -> None:
        """Write one step to the end of the file and to the disk. After an error the file is as it was before."""
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
        """Do nothing: Windows cannot sync a folder."""

else:
    import fcntl

    def _lock(path: Path) -> int:
        """Lock the journal at `path` against other watchers, until `close` or the end of the process.

        The lock is held on a second file, because the journal itself is replaced by a rename.
        """
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
        """Write the folder of `path` to the disk, so that a rename in it survives a power cut."""
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
