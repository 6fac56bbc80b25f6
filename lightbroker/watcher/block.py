"""A block as a message, which the watcher queues and a worker reads."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

Kind = Literal["added", "removed"]

HEADER_FIELDS = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "difficulty"),
    *("number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce"),
    "baseFeePerGas",  # London, EIP-1559
    "withdrawalsRoot",  # Shanghai, EIP-4895
    *("blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot"),  # Cancun, EIP-4844 and EIP-4788
    "requestsHash",  # Prague, EIP-7685
)
"""The JSON-RPC names of a header's fields, in the order in which they are hashed. Forks of Ethereum append fields."""

_DIGEST = re.compile(r"0x[0-9a-fA-F]{64}")
_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_DATA = re.compile(r"0x[0-9a-fA-F]*")


@dataclass(frozen=True, slots=True)
class BlockMessage:
    """A block that joined the canonical chain or left it.

    Attributes:
        number: The height in the chain.
        hash: The block's identity, `0x` and 64 lower-case hex digits.
        parent_hash: The hash of the block before it.
        timestamp: When the block was made, in Unix seconds.
        transactions: How many transactions it holds.
        gas_used: How much gas they consumed.
        kind: "added" if the block joined the chain, "removed" if a reorganisation took it out again.
        header: The fields that the hash covers, as the node sent them (JSON-RPC names, hex strings).
    """

    number: int
    hash: str
    parent_hash: str
    timestamp: int
    transactions: int
    gas_used: int
    kind: Kind
    header: Mapping[str, str] = field(repr=False, hash=False)

    @classmethod
    def from_header(cls, block: Mapping[str, Any], kind: Kind = "added") -> BlockMessage:
        """Make the message for a head or block of Ethereum's JSON-RPC interface.

        Args:
            block: The JSON object. Its `transactions` may be hashes or whole transactions; only their number is kept.
            kind: Whether the block was added to the chain or removed from it.

        Raises:
            ValueError: A field is missing or malformed; the text names the field and its value.
        """
        transactions = _mapping("a block", block).get("transactions")
        if not isinstance(transactions, list):
            raise ValueError(f"transactions must be a list, got {reprlib.repr(transactions)}")
        return cls(
            number=_quantity(block, "number"),
            hash=block_hash(block),
            parent_hash=_digest(block, "parentHash"),
            timestamp=_quantity(block, "timestamp"),
            transactions=len(transactions),
            gas_used=_quantity(block, "gasUsed"),
            kind=kind,
            header=_header(block),
        )

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> BlockMessage:
        """Make the message from a dictionary that `to_dict` returned.

        Raises:
            ValueError: A field is missing or malformed; the text names the field and its value.
        """
        kind = _mapping("a block message", fields).get("kind")
        if kind not in ("added", "removed"):
            raise ValueError(f"kind must be 'added' or 'removed', got {reprlib.repr(kind)}")
        return cls(
            number=_natural(fields, "number"),
            hash=_digest(fields, "hash"),
            parent_hash=_digest(fields, "parent_hash"),
            timestamp=_natural(fields, "timestamp"),
            transactions=_natural(fields, "transactions"),
            gas_used=_natural(fields, "gas_used"),
            kind=cast(Kind, kind),
            header=_header(_mapping("header", fields.get("header"))),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the message as a dictionary for JSON. The watcher pushes it as the body."""
        return {
            "number": self.number,
            "hash": self.hash,
            "parent_hash": self.parent_hash,
            "timestamp": self.timestamp,
            "transactions": self.transactions,
            "gas_used": self.gas_used,
            "kind": self.kind,
            "header": dict(self.header),
        }


def block_hash(block: Mapping[str, Any]) -> str:
    """Return the hash of a JSON-RPC head or block in lower case. Raises ValueError if it has none."""
    return _digest(_mapping("a block", block), "hash")


def block_number(block: Mapping[str, Any]) -> int:
    """Return the height of a JSON-RPC head or block. Raises ValueError if it has none."""
    return _quantity(_mapping("a block", block), "number")


def _mapping(what: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{what} must be a JSON object, got {reprlib.repr(value)}")
    return value


def _digest(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise ValueError(f"{name} must be 0x and 64 hex digits, got {reprlib.repr(value)}")
    return value.lower()


def _quantity(fields: Mapping[str, Any], name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise ValueError(f"{name} must be 0x and hex digits, got {reprlib.repr(value)}")
    return int(value, 16)


def _natural(fields: Mapping[str, Any], name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} must be a whole number of at least 0, got {reprlib.repr(value)}")
    return value


def _header(fields: Mapping[str, Any]) -> dict[str, str]:
    header: dict[str, str] = {}
    for name in HEADER_FIELDS:
        value = fields.get(name)
        if value is None:
            continue
        if not isinstance(value, str) or not _DATA.fullmatch(value):
            raise ValueError(f"{name} must be 0x and hex digits, got {reprlib.repr(value)}")
        header[name] = value
    return header
