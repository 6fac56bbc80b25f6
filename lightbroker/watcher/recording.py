"""A recorded chain as a source: its heads with their original timing, and its blocks by hash."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from typing import IO, Any

from lightbroker.watcher.format import RecordedHead, read_recording

PACKAGED = "anvil-reorgs.jsonl.gz"


class Recording:
    """A recorded chain, which a watcher can follow without a node.

    Iteration yields each head with its offset. `replay` yields the heads with their original timing.

    Args:
        stream: The binary file to read from.
        name: What errors call the file.

    Raises:
        RecordingError: The recording is incomplete or contradicts itself; the error names the line.
    """

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._info, self._heads, self._blocks = read_recording(stream, name)

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None) -> Recording:
        """Read a recording from a file.

        Args:
            path: The file, or None for the recording that comes with the package.

        Raises:
            OSError: The file cannot be read.
            RecordingError: The recording is incomplete or contradicts itself; the error names the line.
        """
        if path is None:
            with resources.files(__package__).joinpath("data").joinpath(PACKAGED).open("rb") as packaged:
                return cls(packaged, PACKAGED)
        with open(path, "rb") as stream:
            return cls(stream, os.path.basename(path))

    @property
    def info(self) -> Mapping[str, Any]:
        """The first line of the file: what was recorded, from which node, when, and on which time scale."""
        return self._info

    def __iter__(self) -> Iterator[RecordedHead]:
        """Iterate over the heads in the order in which they were announced."""
        return iter(self._heads)

    def __len__(self) -> int:
        """Return the number of announced heads, duplicates included."""
        return len(self._heads)

    @property
    def duration(self) -> float:
        """The offset of the last head, in seconds."""
        return self._heads[-1].offset if self._heads else 0.0

    def block(self, digest: str) -> dict[str, Any] | None:
        """Return the block with the hash `digest` as a JSON-RPC object, or None if the recording has no such block.

        During a replay this never reveals a block too early: a caller knows a hash only from a head or from the child
        of the block, and the node had the block before both.
        """
        return self._blocks.get(digest)

    def replay(
        self,
        *,
        speed: float = 1.0,
        sleep: Callable[[float], object] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> Iterator[dict[str, Any]]:
        """Yield the heads with the timing of the recording.

        Each head has a planned time on the recorded time axis. The time that the consumer spends on a head does not
        move the plan: a head that is already late is yielded at once.

        Args:
            speed: Recorded seconds per second. With math.inf there is no waiting.
            sleep: Called to wait, with a number of seconds.
            now: A monotonic clock, in seconds.

        Raises:
            ValueError: `speed` is not positive.
        """
        if not speed > 0:
            raise ValueError(f"speed must be positive, got {speed}")
        return self._paced(speed, sleep, now)

    def _paced(
        self, speed: float, sleep: Callable[[float], object], now: Callable[[], float]
    ) -> Iterator[dict[str, Any]]:
        start = now()
        for offset, head in self._heads:
            early = start + offset / speed - now()
            if early > 0:
                sleep(early)
            yield head
