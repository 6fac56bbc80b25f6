"""A recording is read completely or not at all, and says which line is at fault."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from lightbroker import BrokerError
from lightbroker.watcher import Recording, RecordingError
from lightbroker.watcher.format import RecordingWriter
from tests.watcher.toychain import block, branch

CHAIN = branch(None, 4)
INFO = {"chain_id": 31337, "description": "made up"}


def written() -> bytes:
    """Return a recording of four blocks: one to build on, three heads, of which the last twice."""
    stream = io.BytesIO()
    with RecordingWriter(stream, INFO) as writer:
        writer.block(0, CHAIN[0])
        for offset, head in ((12, CHAIN[1]), (24, CHAIN[2]), (36.5, CHAIN[3]), (36.5, CHAIN[3])):
            writer.head(offset, head)
    return stream.getvalue()


def lines() -> list[Any]:
    """Return the lines of that recording, parsed."""
    return [json.loads(line) for line in gzip.decompress(written()).splitlines()]


def packed(records: list[Any]) -> bytes:
    """Return `records` as a recording, strings as they are."""
    text = "".join(record if isinstance(record, str) else json.dumps(record) + "\n" for record in records)
    return gzip.compress(text.encode())


def refused(data: bytes, line: int, problem: str) -> None:
    """Assert that `data` is refused because of `line`."""
    with pytest.raises(RecordingError, match=f"^chain.jsonl.gz, line {line}: .*{problem}") as caught:
        Recording(io.BytesIO(data), "chain.jsonl.gz")
    assert (caught.value.name, caught.value.line) == ("chain.jsonl.gz", line)
    assert isinstance(caught.value, BrokerError)


def test_what_was_written_is_read() -> None:
    recording = Recording(io.BytesIO(written()), "chain.jsonl.gz")
    assert list(recording) == [(12, CHAIN[1]), (24, CHAIN[2]), (36.5, CHAIN[3]), (36.5, CHAIN[3])]
    assert (len(recording), recording.duration) == (4, 36.5)
    assert [recording.block(head["hash"]) for head in CHAIN] == CHAIN
    assert recording.block("0x" + "f" * 64) is None
    assert recording.info == {"format": "lightbroker-recording", "version": 1, **INFO}


def test_a_recording_is_read_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "here.jsonl.gz"
    path.write_bytes(written())
    assert len(Recording.load(path)) == 4
    path.write_bytes(b"")
    with pytest.raises(RecordingError, match=r"^here.jsonl.gz, line 1: "):
        Recording.load(str(path))
    with pytest.raises(FileNotFoundError):
        Recording.load(tmp_path / "elsewhere.jsonl.gz")


def test_the_same_lines_give_the_same_bytes() -> None:
    assert written() == written()


def test_an_exception_still_leaves_a_complete_file() -> None:
    def interrupted() -> None:
        with RecordingWriter(stream, INFO) as writer:
            writer.head(0, CHAIN[0])
            raise KeyboardInterrupt

    stream = io.BytesIO()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(Recording(io.BytesIO(stream.getvalue()), "early")) == 1


def test_a_recording_without_heads_is_empty() -> None:
    recording = Recording(io.BytesIO(packed([lines()[0], {"end": {"heads": 0, "blocks": 0}}])), "empty")
    assert (list(recording), recording.duration) == ([], 0.0)


def test_a_file_cut_anywhere_is_refused() -> None:
    data = written()
    for kept in range(len(data)):
        with pytest.raises(RecordingError, match=r"^cut, line [1-8]: "):
            Recording(io.BytesIO(data[:kept]), "cut")


def test_a_file_cut_in_the_middle_names_the_first_line_that_is_not_whole() -> None:
    stored = gzip.compress(gzip.decompress(written()), compresslevel=0)
    first_two = sum(len(json.dumps(record, separators=(",", ":"))) + 1 for record in lines()[:2])
    refused(stored[: first_two + 40], 3, "Compressed file ended")


def test_a_damaged_byte_is_noticed() -> None:
    stored = bytearray(gzip.compress(gzip.decompress(written()), compresslevel=0))
    stored[stored.index(b"0x5208") + 2] = ord("6")
    refused(bytes(stored), 8, "CRC check failed")


def test_what_is_not_gzip_is_refused() -> None:
    refused(gzip.decompress(written()), 1, "Not a gzipped file")


def test_lines_cut_off_at_the_end_are_missed() -> None:
    refused(packed(lines()[:-1]), 7, "stops without its end line")


def test_a_line_without_its_newline_is_torn() -> None:
    refused(packed([*lines()[:3], json.dumps(lines()[3])]), 4, "the line is torn")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{not json}\n", "not JSON in UTF-8"),
        ("\n", "not JSON in UTF-8"),
        ("[" * 100_000 + "\n", "recursion"),
        ([1, 2], "expected a JSON object"),
        ({}, 'expected "end", or "t" with "head" or "block"'),
        ({"t": 20}, 'expected "end", or "t" with "head" or "block"'),
        ({"head": CHAIN[2]}, 'expected "end", or "t" with "head" or "block"'),
        ({"t": 20, "head": CHAIN[2], "note": 1}, 'expected "end", or "t" with "head" or "block"'),
        ({"t": "20", "head": CHAIN[2]}, "t must be a number of seconds, got '20'"),
        ({"t": True, "head": CHAIN[2]}, "t must be a number of seconds, got True"),
        ('{"t": NaN, "head": {}}\n', "t must be a number of seconds, got nan"),
        ({"t": 11.9, "head": CHAIN[2]}, "t must not go back: 11.9 after 12"),
        ({"t": 20, "head": None}, "a block must be a JSON object"),
        ({"t": 20, "head": {**CHAIN[2], "gasUsed": "much"}}, "gasUsed must be"),
        ({"t": 20, "head": CHAIN[3]}, "no line before holds 0x"),
        ({"t": 20, "head": {**CHAIN[1], "gasUsed": "0x1"}}, "stands on an earlier line with other contents"),
        ({"end": {"heads": 2, "blocks": 1}}, "the end line counts"),
        ({"end": None}, "the end line counts"),
    ],
)
def test_a_wrong_line_is_refused_by_number(line: Any, problem: str) -> None:
    records = lines()
    records[3] = line
    refused(packed(records), 4, problem)


def test_nothing_may_follow_the_end() -> None:
    refused(packed([*lines(), lines()[1]]), 8, "nothing may follow the end line")


@pytest.mark.parametrize("change", [{"format": "csv"}, {"version": 2}, {"version": None}])
def test_another_format_or_version_is_refused(change: dict[str, Any]) -> None:
    refused(packed([{**lines()[0], **change}, *lines()[1:]]), 1, "expected format 'lightbroker-recording' version 1")


def test_a_head_may_repeat_the_block_that_everything_builds_on() -> None:
    stream = io.BytesIO()
    with RecordingWriter(stream, INFO) as writer:
        writer.block(0, CHAIN[0])
        writer.head(1, CHAIN[0])
        writer.head(2, block(CHAIN[0]))
    assert len(Recording(io.BytesIO(stream.getvalue()), "repeat")) == 2
