"""The little of HTTP/1.1 that a read-only server needs: a request without a body in, a response out (RFC 9112).

What is not plainly a request is refused, never repaired: guesses are what request smuggling lives on.
"""

import re
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

MAX_HEAD = 8 * 1024  #: bytes of a request line and its headers together

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rf"({_TOKEN}) ([!-~]+) HTTP/([0-9])\.([0-9])")
_FIELD = re.compile(rf"({_TOKEN}):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::[0-9]{0,5})?")


class BadRequest(Exception):
    """What came is not a request that can be answered; `status` says so in HTTP's terms."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Request(NamedTuple):
    """path: its segments, decoded one by one, so that a name may hold a slash; host: without the port, None if absent.

    last: nothing can follow it on its connection.
    """

    method: str
    path: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    host: str | None
    last: bool


class Response(NamedTuple):
    """headers: beside those that every response has."""

    status: HTTPStatus
    content_type: str
    body: bytes
    headers: Mapping[str, str] = {}

    def encode(self, *, bodiless: bool, last: bool) -> bytes:
        """As it goes over the wire; bodiless: in answer to HEAD; last: the connection ends behind it."""
        fields = {
            "Date": formatdate(usegmt=True),
            "Content-Type": self.content_type,
            "Content-Length": str(len(self.body)),
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Connection": "close" if last else "keep-alive",
            **self.headers,
        }
        lines = (f"HTTP/1.1 {self.status.value} {self.status.phrase}", *(f"{k}: {v}" for k, v in fields.items()))
        return "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1") + (b"" if bodiless else self.body)


def parse(head: bytes) -> Request:
    """Read a request line and headers, up to and with the empty line; raises BadRequest."""
    first, *rest = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    if line is None:
        raise BadRequest(HTTPStatus.BAD_REQUEST, "the request line must be METHOD TARGET HTTP/1.1")
    method, target, major, minor = line.groups()
    if major != "1":
        raise BadRequest(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, f"HTTP/{major} is not spoken here, HTTP/1.1 is")
    fields: dict[str, list[str]] = {}
    for text in rest:
        field = _FIELD.fullmatch(text)
        if field is None:
            raise BadRequest(HTTPStatus.BAD_REQUEST, "a header must be NAME: VALUE on one line")
        fields.setdefault(field[1].lower(), []).append(field[2])
    hosts = fields.get("host", [])
    if len(hosts) > 1 or (not hosts and minor != "0"):
        raise BadRequest(HTTPStatus.BAD_REQUEST, f"one Host header is needed, not {len(hosts)}")
    path, query, host = _locate(target, *hosts)
    options = {option.strip().lower() for value in fields.get("connection", []) for option in value.split(",")}
    # A body would have to be read before the next request; nothing here takes one.
    bodied = "transfer-encoding" in fields or any(length != "0" for length in fields.get("content-length", []))
    last = bodied or "close" in options or (minor == "0" and "keep-alive" not in options)
    return Request(method, path, query, host, last)


def _locate(target: str, host: str | None = None) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...], str | None]:
    """Path, query and host name of a request's target; one that names a host itself overrules the header."""
    try:
        parts = urlsplit(target if not target.startswith("//") else f"http://host{target}")
        if not target.startswith("/"):
            if parts.scheme != "http" or not parts.netloc:
                raise BadRequest(HTTPStatus.BAD_REQUEST, "the target must begin with / or http://")
            host = parts.netloc
        segments = tuple(unquote(segment, errors="strict") for segment in parts.path.split("/")[1:])
        query = tuple(parse_qsl(parts.query, keep_blank_values=True, errors="strict", max_num_fields=20))
    except ValueError as error:  # also UnicodeDecodeError
        raise BadRequest(HTTPStatus.BAD_REQUEST, "the target cannot be decoded") from error
    if host is None:
        return segments, query, None
    authority = _AUTHORITY.fullmatch(host)
    if authority is None:
        raise BadRequest(HTTPStatus.BAD_REQUEST, "the host cannot be read")
    return segments, query, authority[1].lower()
