"""The file format of a recorded chain: gzipped JSON, one object a line.

The first line says what was recorded. The last line holds "end" with the number of heads and blocks, so that a file
that was cut off between two lines is noticed. Every line between them holds two things:

- "t", the offset in seconds from the start of the recording;
- either "head", a block that the node announced, or "block", a block that was fetched by hash.

Every block except the first stands after its parent.
"""

from __future__ import annotations

import gzip
import json
import math
import reprlib
import zlib
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Any, NamedTuple

from lightbroker.watcher.block import BlockMessage
from lightbroker.watcher.errors import RecordingError

FORMAT = "lightbroker-recording"
VERSION = 1


class RecordedHead(NamedTuple):
    """A head, and when it was announced: `offset` is in seconds from the start of the recording."""

    offset: float
    head: dict[str, Any]


class RecordingWriter:
    """Writes a recording. It is a context manager, which writes the last line also after an exception.

    Args:
        stream: The binary file to write to. It stays open at the end.
        info: What the first line says about the chain, the node and the time axis.
    """

    def __init__(self, stream: IO[bytes], info: Mapping[str, Any]) -> None:
        # The gzip header gets neither a time nor a file name, so that the same lines always give the same bytes.
        self._file = gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=stream, mtime=0)
        self._counts = {"heads": 0, "blocks": 0}
        self._line({"format": FORMAT, "version": VERSION, **info})

    def head(self, offset: float, head: Mapping[str, Any]) -> None:
        """Write a head that was announced `offset` seconds after the start."""
        self._counts["heads"] += 1
        self._line({"t": round(offset, 3), "head": head})

    def block(self, offset: float, block: Mapping[str, Any]) -> None:
        """Write a block that was fetched by hash `offset` seconds after the start."""
        self._counts["blocks"] += 1
        self._line({"t": round(offset, 3), "block": block})

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write the last line."""
        self._line({"end": self._counts})
        self._file.close()

    def _line(self, record: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(record, separators=(",", ":")).encode() + b"\n")


def read_recording(
    stream: IO[bytes], name: str
) -> tuple[dict[str, Any], list[RecordedHead], dict[str, dict[str, Any]]]:
    """Read a recording.

    Args:
        stream: The binary file to read from.
        name: What errors call the file.

    Returns:
        The first line, the heads in order, and all blocks by hash, those of the heads included.

    Raises:
        RecordingError: A line is missing, cut off or wrong.
    """
    number = 1
    try:
        with gzip.GzipFile(fileobj=stream, mode="rb") as lines:
            reader = _Reader(_parse(lines.readline()))
            while not reader.ended:
                number += 1
                reader.add(_parse(lines.readline()))
            number += 1
            # This read also makes gzip compare the checksum at the end of the file.
            if lines.readline():
                raise ValueError("nothing may follow the end line")
    except (ValueError, EOFError, OSError, zlib.error, RecursionError) as error:
        raise RecordingError(name, number, str(error)) from error
    return reader.info, reader.heads, reader.blocks


def _parse(line: bytes) -> dict[str, Any]:
    if not line:
        raise ValueError("the recording stops without its end line; it was cut off, get a complete copy")
    if not line.endswith(b"\n"):
        raise ValueError(f"the line is torn: {reprlib.repr(line)}")
    try:
        record = json.loads(line.decode())
    except ValueError as error:
        raise ValueError(f"not JSON in UTF-8: {error}") from error
    if not isinstance(record, dict):
        raise ValueError(f"expected a JSON object, got {reprlib.repr(record)}")
    return record


class _Reader:
    """Takes a recording line by line, and raises ValueError for the first line that contradicts an earlier one."""

    def __init__(self, info: dict[str, Any]) -> None:
        if info.get("format") != FORMAT or info.get("version") != VERSION:
            raise ValueError(
                f"expected format {FORMAT!r} version {VERSION}, got {reprlib.repr(info.get('format'))} "
                f"version {reprlib.repr(info.get('version'))}"
            )
        self.info = info
        self.heads: list[RecordedHead] = []
        self.blocks: dict[str, dict[str, Any]] = {}
        self.ended = False
        self._offset = 0.0
        self._counts = {"heads": 0, "blocks": 0}

    def add(self, record: dict[str, Any]) -> None:
        kind = next((kind for kind in ("head", "block", "end") if kind in record), None)
        if kind is None or record.keys() != ({kind} if kind == "end" else {"t", kind}):
            raise ValueError(f'expected "end", or "t" with "head" or "block", got {reprlib.repr(sorted(record))}')
        if kind == "end":
            if record["end"] != self._counts:
                raise ValueError(f"the end line counts {record['end']}, but {self._counts} stand before it")
            self.ended = True
            return
        self._set_offset(record["t"])
        self._add_block(record[kind])
        self._counts[f"{kind}s"] += 1
        if kind == "head":
            self.heads.append(RecordedHead(self._offset, record["head"]))

    def _set_offset(self, offset: Any) -> None:
        if isinstance(offset, bool) or not isinstance(offset, (int, float)) or not math.isfinite(offset):
            raise ValueError(f"t must be a number of seconds, got {reprlib.repr(offset)}")
        if offset < self._offset:
            raise ValueError(f"t must not go back: {offset} after {self._offset}")
        self._offset = float(offset)

    def _add_block(self, block: Any) -> None:
        message = BlockMessage.from_header(block)
        known = self.blocks.setdefault(message.hash, block)
        if known is not block:
            # Announced first and fetched later, a block may differ in fields that a message does not have.
            if BlockMessage.from_header(known) != message:
                raise ValueError(f"block {message.hash} stands on an earlier line with other contents")
        elif len(self.blocks) > 1 and message.parent_hash not in self.blocks:
            raise ValueError(f"no line before holds {message.parent_hash}, the parent of block {message.number}")
