"""The nouns: what a body may be, what headers may be, and what a user reads from a message."""

import json
from types import MappingProxyType
from typing import Any

import pytest

from lightbroker import Message
from lightbroker.core.message import MAX_BODY, MAX_HEADERS, check_headers, encode


def nested(depth: int) -> list[Any]:
    outer: list[Any] = []
    for _ in range(depth):
        outer = [outer]
    return outer


def circular() -> list[Any]:
    body: list[Any] = []
    body.append(body)
    return body


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"\xff\x00", b"\xff\x00"),
        ("ß😀", "ß😀".encode()),
        ({"a": [1, "ß", None, True, 1.5]}, '{"a": [1, "ß", null, true, 1.5]}'.encode()),
        ((1, 2), b"[1, 2]"),
        (None, b"null"),
        (0, b"0"),
        (-(2**200), str(-(2**200)).encode()),
        ("", b""),
    ],
    ids=repr,
)
def test_a_body_becomes_bytes(body: object, kept: bytes) -> None:
    assert encode(body) == kept


def test_bytes_are_kept_and_not_copied() -> None:
    body = b"x" * 1000
    assert encode(body) is body


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({1, 2}, TypeError),
        (object(), TypeError),
        (bytearray(b"x"), TypeError),
        (memoryview(b"x"), TypeError),
        ({"a": b"bytes inside"}, TypeError),
        ({(1, 2): 3}, TypeError),
        (1j, TypeError),
        (float("nan"), ValueError),
        ([float("inf")], ValueError),
        ("\ud800", ValueError),
        ({"a": "\udfff"}, ValueError),
        (circular(), ValueError),
        (nested(200_000), ValueError),
        (10**5000, ValueError),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_body_that_cannot_be_kept_is_refused_by_name(body: object, error: type[Exception]) -> None:
    if isinstance(body, int) and not hasattr(__import__("sys"), "set_int_max_str_digits"):
        pytest.skip("this Python writes integers of any length")
    with pytest.raises(error, match="^body"):
        encode(body)


@pytest.mark.parametrize("body", [b"x", "x", ["x"]], ids=repr)
def test_a_body_beyond_the_limit_is_refused(body: Any) -> None:
    with pytest.raises(ValueError, match=str(MAX_BODY)):
        encode(body * (MAX_BODY + 1) if isinstance(body, (bytes, str)) else body * (MAX_BODY // 4))


def test_a_body_at_the_limit_is_taken() -> None:
    assert len(encode(b"x" * MAX_BODY)) == MAX_BODY


def test_text_and_json_read_the_body() -> None:
    assert Message("1", "größe".encode(), 0.0).text == "größe"
    assert Message("1", b'{"a": [1]}', 0.0).json() == {"a": [1]}
    with pytest.raises(UnicodeDecodeError):
        _ = Message("1", b"\xff", 0.0).text
    with pytest.raises(json.JSONDecodeError):
        Message("1", b"{", 0.0).json()


def test_headers_are_copied_and_read_only() -> None:
    given = {"a": "1"}
    kept = check_headers(given)
    given["a"] = "2"
    assert kept["a"] == "1"
    with pytest.raises(TypeError):
        kept["a"] = "3"  # type: ignore[index]


@pytest.mark.parametrize(
    "headers", [None, {}, {"a": ""}, MappingProxyType({"ключ": "😀"}), {"a": "x" * (MAX_HEADERS - 1)}]
)
def test_headers_map_short_strings_to_strings(headers: Any) -> None:
    assert dict(check_headers(headers)) == dict(headers or {})


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ([("a", "1")], TypeError),
        ("a=1", TypeError),
        (1, TypeError),
        ({"a": 1}, TypeError),
        ({1: "a"}, TypeError),
        ({"a": None}, TypeError),
        ({"a": b"1"}, TypeError),
        ({"a": "x" * MAX_HEADERS}, ValueError),
        ({"a": "\ud800"}, ValueError),
    ],
    ids=lambda value: repr(value)[:12],
)
def test_headers_that_make_no_sense_are_refused_by_name(headers: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="^headers") as caught:
        check_headers(headers)
    assert len(str(caught.value)) < 1000
