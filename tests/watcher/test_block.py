"""A block survives the way from the node's JSON to a worker, and nothing else passes for one."""

import json
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from lightbroker.watcher import BlockMessage
from tests.watcher import toychain

HEAD = toychain.block(None)


def test_a_head_becomes_a_message() -> None:
    message = BlockMessage.from_header(HEAD)
    assert (message.number, message.hash, message.parent_hash) == (100, HEAD["hash"], HEAD["parentHash"])
    assert (message.timestamp, message.transactions, message.gas_used) == (1_750_001_200, 1, 21_000)
    assert message.kind == "added"
    assert message.header == {name: HEAD[name] for name in ("parentHash", "number", "gasUsed", "timestamp")}


def test_a_message_survives_json() -> None:
    message = BlockMessage.from_header(HEAD, "removed")
    assert BlockMessage.from_dict(json.loads(json.dumps(message.to_dict()))) == message
    assert len({message, BlockMessage.from_header(HEAD, "removed")}) == 1


def test_a_message_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        BlockMessage.from_header(HEAD).number = 1  # type: ignore[misc]


def test_a_hash_is_the_same_block_in_either_case() -> None:
    shouted = {**HEAD, "hash": "0x" + HEAD["hash"][2:].upper()}
    assert BlockMessage.from_header(shouted).hash == HEAD["hash"]


def test_a_field_that_a_node_sends_as_null_is_absent() -> None:
    assert "baseFeePerGas" not in BlockMessage.from_header({**HEAD, "baseFeePerGas": None}).header


@pytest.mark.parametrize("field", ["number", "hash", "parentHash", "timestamp", "gasUsed", "transactions"])
@pytest.mark.parametrize("value", [None, 7, "", "12", "0x", "0xzz", "0x" + "f" * 65, True, {}])
def test_a_malformed_head_is_refused_with_field_and_value(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{field} must be .*, got "):
        BlockMessage.from_header({**HEAD, field: value})


def test_a_malformed_header_field_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"^stateRoot must be 0x and hex digits, got 'root'"):
        BlockMessage.from_header({**HEAD, "stateRoot": "root"})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", -1),
        ("number", "0x1"),
        ("timestamp", True),
        ("transactions", 1.5),
        ("gas_used", None),
        ("hash", "0x12"),
        ("parent_hash", 12),
        ("kind", "changed"),
        ("kind", None),
        ("header", []),
    ],
)
def test_a_malformed_message_is_refused_with_field_and_value(field: str, value: Any) -> None:
    body = BlockMessage.from_header(HEAD).to_dict()
    with pytest.raises(ValueError, match=f"^{field} must be .*, got "):
        BlockMessage.from_dict({**body, field: value})


@pytest.mark.parametrize("value", [None, [], "0x12", 3])
def test_only_an_object_is_a_block(value: Any) -> None:
    with pytest.raises(ValueError, match="must be a JSON object"):
        BlockMessage.from_header(value)
    with pytest.raises(ValueError, match="must be a JSON object"):
        BlockMessage.from_dict(value)
