"""The file format of a recorded chain.

Gzipped JSON, one object a line. Line 1 says what was recorded. Every other line holds "t", the offset in seconds from
the start of the recording, and either "head", a block as the node announced it, or "block", one that it did not
announce and that was fetched by hash. Every block but the first stands after its parent. The last line, "end", counts
both, so that a file cut between two lines is noticed too.
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
    """A head and when it was announced, in seconds from the start of the recording."""

    offset: float
    head: dict[str, Any]


class RecordingWriter:
    """Writes a recording; a context manager that ends the file properly, also after an exception."""

    def __init__(self, stream: IO[bytes], info: Mapping[str, Any]) -> None:
        """Start a recording on `stream` with `info` about the chain, the node and the time axis on its first line."""
        # Neither a time nor a file name in the gzip header: the same lines give the same bytes.
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
        """Return the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write the last line; `stream` stays open."""
        self._line({"end": self._counts})
        self._file.close()

    def _line(self, record: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(record, separators=(",", ":")).encode() + b"\n")


def read_recording(
    stream: IO[bytes], name: str
) -> tuple[dict[str, Any], list[RecordedHead], dict[str, dict[str, Any]]]:
    """Return the first line of a recording, its heads in order, and all its blocks by hash.

    Raises RecordingError that says which line of `name` is torn, missing or wrong.
    """
    number = 1
    try:
        with gzip.GzipFile(fileobj=stream, mode="rb") as lines:
            reader = _Reader(_parse(lines.readline()))
            while not reader.ended:
                number += 1
                reader.add(_parse(lines.readline()))
            number += 1
            # This read also makes gzip compare its checksum.
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
    """Takes a recording record by record and refuses the first one that contradicts those before it."""

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
        self._move(record["t"])
        self._link(record[kind])
        self._counts[f"{kind}s"] += 1
        if kind == "head":
            self.heads.append(RecordedHead(self._offset, record["head"]))

    def _move(self, offset: Any) -> None:
        if isinstance(offset, bool) or not isinstance(offset, (int, float)) or not math.isfinite(offset):
            raise ValueError(f"t must be a number of seconds, got {reprlib.repr(offset)}")
        if offset < self._offset:
            raise ValueError(f"t must not go back: {offset} after {self._offset}")
        self._offset = float(offset)

    def _link(self, block: Any) -> None:
        message = BlockMessage.from_header(block)
        known = self.blocks.setdefault(message.hash, block)
        if known is not block:
            # Announced and fetched, a block may differ in fields that do not matter here.
            if BlockMessage.from_header(known) != message:
                raise ValueError(f"block {message.hash} stands on an earlier line with other contents")
        elif len(self.blocks) > 1 and message.parent_hash not in self.blocks:
            raise ValueError(f"no line before holds {message.parent_hash}, the parent of block {message.number}")
