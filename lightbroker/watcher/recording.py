"""A recorded chain as a source: its heads again with their timing, and its blocks by hash."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from typing import IO, Any

from lightbroker.watcher.format import RecordedHead, read_recording

PACKAGED = "anvil-reorgs.jsonl.gz"


class Recording:
    """A chain that can be followed again without a node: iterate over its heads, ask for its blocks by hash."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        """Read a recording from `stream`; errors call it `name`.

        Raises RecordingError with the line number unless the recording is complete and consistent.
        """
        self._info, self._heads, self._blocks = read_recording(stream, name)

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None) -> Recording:
        """Read the recording at `path`, or the one that comes with the package.

        Raises OSError if there is no such file, and RecordingError with the line number unless the recording is
        complete and consistent.
        """
        if path is None:
            with resources.files(__package__).joinpath("data").joinpath(PACKAGED).open("rb") as packaged:
                return cls(packaged, PACKAGED)
        with open(path, "rb") as stream:
            return cls(stream, os.path.basename(path))

    @property
    def info(self) -> Mapping[str, Any]:
        """The first line of the file: what was recorded, from which node, when, on which time scale."""
        return self._info

    def __iter__(self) -> Iterator[RecordedHead]:
        """Iterate over the heads in the order in which they were announced."""
        return iter(self._heads)

    def __len__(self) -> int:
        """The number of announced heads, duplicates included."""
        return len(self._heads)

    @property
    def duration(self) -> float:
        """The offset of the last head, in seconds."""
        return self._heads[-1].offset if self._heads else 0.0

    def block(self, digest: str) -> dict[str, Any] | None:
        """Return the block with the hash `digest`, or None: what the node's `eth_getBlockByHash` answered.

        At any point of a replay this is also what the node would have answered then, because whoever knows a hash has
        it from a later block.
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

        Heads keep to the recorded time axis: time that the consumer needs is not added, and a head that is already
        late is yielded at once.

        Args:
            speed: recorded seconds per second; math.inf yields without waiting.
            sleep: called with a number of seconds.
            now: a monotonic clock, in seconds.

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
