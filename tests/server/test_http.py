"""Requests: what is plainly one is read, everything else is refused and nothing is guessed."""

from http import HTTPStatus

import pytest

from lightbroker.server.http import BadRequest, Request, Response, parse


def get(target: str, *fields: str, version: str = "1.1") -> Request:
    lines = [f"GET {target} HTTP/{version}", *(fields or ("Host: localhost",)), "", ""]
    return parse("\r\n".join(lines).encode("latin-1"))


def test_a_request_is_read() -> None:
    assert parse(b"HEAD /metrics?a=1&b=&a=%C3%A4 HTTP/1.1\r\nhost:\tLOCALHOST:9100 \r\n\r\n") == Request(
        "HEAD", ("metrics",), (("a", "1"), ("b", ""), ("a", "ä")), "localhost", False
    )


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", ("",)),
        ("/health", ("health",)),
        ("/health/", ("health", "")),
        ("//health", ("", "health")),
        ("/queues/a%2Fb/dlq", ("queues", "a/b", "dlq")),
        ("/queues/a%252Fb%C3%A4+/dlq", ("queues", "a%2Fbä+", "dlq")),
        ("/queues/../dlq", ("queues", "..", "dlq")),
        ("/a;b:c@d", ("a;b:c@d",)),
    ],
)
def test_a_path_is_split_before_it_is_decoded(target: str, path: tuple[str, ...]) -> None:
    assert get(target).path == path


@pytest.mark.parametrize(
    ("target", "fields", "host"),
    [
        ("/", ["Host: a.example:80"], "a.example"),
        ("/", ["Host: [::1]:80"], "[::1]"),
        ("http://b.example:1/health", ["Host: a.example"], "b.example"),
        ("//evil.example/", ["Host: a.example"], "a.example"),
    ],
)
def test_the_host_is_that_of_the_target_or_else_of_the_header(target: str, fields: list[str], host: str) -> None:
    assert get(target, *fields).host == host


def test_only_http_1_0_may_come_without_a_host() -> None:
    assert parse(b"GET / HTTP/1.0\r\n\r\n").host is None
    with pytest.raises(BadRequest, match="Host"):
        parse(b"GET / HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize(
    ("version", "fields", "last"),
    [
        ("1.1", [], False),
        ("1.1", ["Connection: close"], True),
        ("1.1", ["Connection: x, Close"], True),
        ("1.0", [], True),
        ("1.0", ["Connection: keep-alive"], False),
        ("1.1", ["Content-Length: 0"], False),
        ("1.1", ["Content-Length: 5"], True),
        ("1.1", ["Content-Length: 0", "Content-Length: 5"], True),
        ("1.1", ["Content-Length: +0"], True),
        ("1.1", ["Transfer-Encoding: chunked"], True),
    ],
)
def test_a_connection_goes_on_only_if_what_follows_is_a_request(version: str, fields: list[str], last: bool) -> None:
    assert get("/", "Host: a", *fields, version=version).last is last


MALFORMED = [
    *(b"\r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
    *(
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    *(
        b"GET / http/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.10\r\nHost: a\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    *(
        b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET a HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    *(b"GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n", b"GET http://[/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    *(b"GET /%ff HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /?a=%ff HTTP/1.1\r\nHost: a\r\n\r\n"),
    b"GET /?" + b"&".join(b"a=1" for _ in range(99)) + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    *(
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    ),
    *(
        b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\n: a\r\n\r\n",
    ),
    *(b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
    *(
        b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\0\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\r\n\r\n",
    ),
]


@pytest.mark.parametrize("head", MALFORMED)
def test_what_is_not_plainly_a_request_is_refused(head: bytes) -> None:
    with pytest.raises(BadRequest) as info:
        parse(head)
    assert info.value.status == 400


def test_another_version_is_named_as_such() -> None:
    with pytest.raises(BadRequest) as info:
        parse(b"PRI * HTTP/2.0\r\n\r\n")
    assert info.value.status == 505


def test_a_response_says_how_long_it_is_also_without_its_body() -> None:
    response = Response(HTTPStatus.OK, "text/plain", b"abc", {"Allow": "GET"})
    whole, head = response.encode(bodiless=False, last=False), response.encode(bodiless=True, last=True)
    assert whole.startswith(b"HTTP/1.1 200 OK\r\n")
    assert whole.endswith(b"Allow: GET\r\n\r\nabc")
    assert b"Connection: keep-alive\r\n" in whole
    assert head.endswith(b"\r\n\r\n")
    assert b"Content-Length: 3\r\n" in head
    assert b"Connection: close\r\n" in head
    assert b"Server" not in whole
