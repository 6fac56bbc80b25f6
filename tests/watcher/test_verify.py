"""A block's hash is recomputed from its contents, for the headers of every fork."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.watcher.extras import require

require("Crypto")

from lightbroker.watcher import BlockMessage, InvalidBlock, Recording  # noqa: E402
from lightbroker.watcher.verify import header_hash, verify_block, verify_link  # noqa: E402

FORKS: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "forks.json").read_text())
"""One header of each fork, by anvil."""

EMPTY_ROOT = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
MAINNET_GENESIS = {
    "parentHash": "0x" + "0" * 64,
    "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
    "miner": "0x" + "0" * 40,
    "stateRoot": "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
    "transactionsRoot": EMPTY_ROOT,
    "receiptsRoot": EMPTY_ROOT,
    "logsBloom": "0x" + "0" * 512,
    "difficulty": "0x400000000",
    "number": "0x0",
    "gasLimit": "0x1388",
    "gasUsed": "0x0",
    "timestamp": "0x0",
    "extraData": "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
    "mixHash": "0x" + "0" * 64,
    "nonce": "0x0000000000000042",
}


@pytest.fixture(scope="module")
def recording() -> Recording:
    """Return the packaged recording."""
    return Recording.load()


@pytest.fixture
def body(recording: Recording) -> dict[str, Any]:
    """Return a message as a worker gets it, of a block with transactions."""
    head = next(head for _, head in recording if head["transactions"])
    return BlockMessage.from_header(head).to_dict()


def test_the_first_block_of_mainnet_has_the_hash_that_everybody_knows() -> None:
    assert header_hash(MAINNET_GENESIS) == "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"


@pytest.mark.parametrize("fork", FORKS)
def test_headers_of_every_fork_are_understood(fork: str) -> None:
    assert header_hash(FORKS[fork]["header"]) == FORKS[fork]["hash"]


@pytest.mark.parametrize("length", [0, 1, 31, 32, 55, 56, 57, 255, 256, 65_536])
def test_fields_of_any_length_are_hashed_without_collision(length: int) -> None:
    hashes = {header_hash({**MAINNET_GENESIS, "extraData": "0x" + byte * length}) for byte in ("00", "7f", "80", "ff")}
    assert len(hashes) == (4 if length else 1)


def test_every_recorded_block_has_the_hash_and_the_parent_it_claims(recording: Recording) -> None:
    for _, head in recording:
        block = BlockMessage.from_header(head).to_dict()
        verify_block(block)
        parent = recording.block(block["parent_hash"])
        verify_link(block, parent)


@pytest.mark.parametrize("field", sorted(FORKS["prague"]["header"]))
def test_a_change_to_any_header_field_is_noticed(field: str, body: dict[str, Any]) -> None:
    value = body["header"][field]
    changed = value[:-1] + ("1" if value[-1] == "0" else "0") if value != "0x" else "0x01"
    with pytest.raises(InvalidBlock, match="its header hashes to 0x"):
        verify_block({**body, "header": {**body["header"], field: changed}})


@pytest.mark.parametrize("field", ["number", "timestamp", "gas_used"])
def test_a_summary_that_contradicts_the_header_is_noticed(field: str, body: dict[str, Any]) -> None:
    with pytest.raises(InvalidBlock, match=f"{field} is {body[field] + 1}, its header says 0x"):
        verify_block({**body, field: body[field] + 1})


def test_a_parent_hash_that_contradicts_the_header_is_noticed(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidBlock, match="parent_hash is 0x"):
        verify_block({**body, "parent_hash": body["hash"]})


def test_a_hash_that_is_not_the_contents_is_noticed(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidBlock, match=f"not to {body['parent_hash']}"):
        verify_block({**body, "hash": body["parent_hash"]})


def test_a_header_without_a_field_that_all_forks_have_is_refused(body: dict[str, Any]) -> None:
    header = {name: value for name, value in body["header"].items() if name != "stateRoot"}
    with pytest.raises(InvalidBlock, match="the header has no stateRoot"):
        verify_block({**body, "header": header})


def test_a_malformed_message_is_refused_by_field(body: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="hash must be 0x and 64 hex digits, got 'poison'"):
        verify_block({**body, "hash": "poison"})


def test_a_missing_or_wrong_parent_is_noticed(recording: Recording, body: dict[str, Any]) -> None:
    with pytest.raises(InvalidBlock, match="is unknown"):
        verify_link(body, None)
    with pytest.raises(InvalidBlock, match="does not continue block"):
        verify_link(body, recording.block(body["hash"]))
    parent = recording.block(body["parent_hash"])
    assert parent is not None
    with pytest.raises(InvalidBlock, match="does not continue block"):
        verify_link(body, {**parent, "timestamp": hex(body["timestamp"] + 1)})
