"""Recompute a block's hash from its header, and check the link to its parent.

The hash is Keccak-256 over the RLP encoding of the header's fields (Ethereum Yellow Paper, section 4.4 and appendix B).
It covers the parent's hash. So a block whose own hash is right names its true parent, and workers may check blocks in
any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightbroker.watcher.block import HEADER_FIELDS, BlockMessage
from lightbroker.watcher.errors import InvalidBlock, MissingLibrary

try:
    from Crypto.Hash import keccak
except ImportError as error:
    raise MissingLibrary("checking block hashes needs pycryptodome; run: pip install 'lightbroker[chain]'") from error

_FIRST_OPTIONAL = HEADER_FIELDS.index("baseFeePerGas")
_NUMBERS = frozenset(
    ("difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas", "blobGasUsed", "excessBlobGas")
)


def verify_block(block: Mapping[str, Any]) -> None:
    """Check that the contents of a block have the hash that it claims.

    Every field of the header is checked, and so are number, parent_hash, timestamp and gas_used. The number of
    transactions is not checked: the header holds only the root of their tree.

    Args:
        block: A block message as a dictionary, as `BlockMessage.to_dict` returns it.

    Raises:
        ValueError: A field is missing or malformed; the text names it.
        InvalidBlock: The contents do not have that hash.
    """
    message = BlockMessage.from_dict(block)
    actual = header_hash(message.header)
    if actual != message.hash:
        raise InvalidBlock(
            f"block {message.number}: its header hashes to {actual}, not to {message.hash}; the header was changed, "
            "or comes from a fork with fields newer than these: " + ", ".join(HEADER_FIELDS[_FIRST_OPTIONAL:])
        )
    for name, key, value in (
        ("number", "number", message.number),
        ("parent_hash", "parentHash", int(message.parent_hash, 16)),
        ("timestamp", "timestamp", message.timestamp),
        ("gas_used", "gasUsed", message.gas_used),
    ):
        if int(message.header[key], 16) != value:
            raise InvalidBlock(f"block {message.hash}: {name} is {block[name]}, its header says {message.header[key]}")


def verify_link(block: Mapping[str, Any], parent: Mapping[str, Any] | None) -> None:
    """Check that a block continues its parent. The check needs no state, so workers may check blocks in any order.

    Args:
        block: A block message as a dictionary, as `BlockMessage.to_dict` returns it.
        parent: The JSON-RPC block that was fetched by the message's parent_hash, or None if it was not found.

    Raises:
        ValueError: A field is missing or malformed; the text names it.
        InvalidBlock: The parent is None, or has another hash, or has a number or timestamp that does not fit.
    """
    child = BlockMessage.from_dict(block)
    if parent is None:
        raise InvalidBlock(f"block {child.number} {child.hash}: its parent {child.parent_hash} is unknown")
    before = BlockMessage.from_header(parent)
    if (before.hash, before.number) != (child.parent_hash, child.number - 1) or before.timestamp > child.timestamp:
        raise InvalidBlock(f"block {child.number} {child.hash} does not continue block {before.number} {before.hash}")


def header_hash(header: Mapping[str, str]) -> str:
    """Return the hash of a header: `0x` and 64 hex digits.

    Args:
        header: The fields under their JSON-RPC names. Fields that later forks of Ethereum appended are optional.

    Raises:
        InvalidBlock: A field that every header has is missing.
    """
    parts = []
    for index, name in enumerate(HEADER_FIELDS):
        value = header.get(name)
        if value is not None:
            digits = value[2:].lstrip("0") if name in _NUMBERS else value[2:]
            parts.append(_rlp_string(bytes.fromhex(digits if len(digits) % 2 == 0 else "0" + digits)))
        elif index < _FIRST_OPTIONAL:
            raise InvalidBlock(f"the header has no {name}")
    payload = b"".join(parts)
    return "0x" + keccak.new(digest_bits=256, data=_rlp_prefix(0xC0, len(payload)) + payload).hexdigest()


def _rlp_string(content: bytes) -> bytes:
    if len(content) == 1 and content[0] < 0x80:
        return content
    return _rlp_prefix(0x80, len(content)) + content


def _rlp_prefix(base: int, length: int) -> bytes:
    if length < 56:
        return bytes((base + length,))
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((base + 55 + len(size),)) + size
