"""The part of HTTP/1.1 that a read-only server needs (RFC 9112): parse a request without a body, encode a response.

A malformed request is refused, never repaired. Where two programs repair the same bytes differently, an attacker can
hide one request inside another (request smuggling).
"""

import re
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

MAX_HEAD = 8 * 1024  #: bytes that the request line and the headers may have together

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rf"({_TOKEN}) ([!-~]+) HTTP/([0-9])\.([0-9])")
_FIELD = re.compile(rf"({_TOKEN}):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::[0-9]{0,5})?")


class BadRequest(Exception):
    """A request that is refused.

    Attributes:
        status: The HTTP status to answer with.
    """

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Request(NamedTuple):
    """A parsed request.

    Attributes:
        method: GET, for example.
        path: The segments of the path. Each is decoded on its own, so a segment may contain a slash.
        query: The pairs of name and value of the query.
        host: The host's name without the port, or None if the request names no host.
        last: Whether the connection ends after the response.
    """

    method: str
    path: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    host: str | None
    last: bool


class Response(NamedTuple):
    """A response.

    Attributes:
        status: The HTTP status.
        content_type: The media type of the body.
        body: The body.
        headers: Headers in addition to those that every response has. They override those of the same name.
    """

    status: HTTPStatus
    content_type: str
    body: bytes
    headers: Mapping[str, str] = {}

    def encode(self, *, bodiless: bool, last: bool) -> bytes:
        """Return the bytes to send.

        Args:
            bodiless: Whether to leave out the body, as the answer to a HEAD request must.
            last: Whether to announce that the connection ends after this response.
        """
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
    """Parse a request.

    Args:
        head: The request line and the headers, up to and including the empty line.

    Raises:
        BadRequest: The request is malformed or of another HTTP version.
    """
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
    path, query, host = _parse_target(target, *hosts)
    options = {option.strip().lower() for value in fields.get("connection", []) for option in value.split(",")}
    # No path here takes a body, and an unread body would be taken for the next request. So the connection ends.
    bodied = "transfer-encoding" in fields or any(length != "0" for length in fields.get("content-length", []))
    last = bodied or "close" in options or (minor == "0" and "keep-alive" not in options)
    return Request(method, path, query, host, last)


def _parse_target(
    target: str, host: str | None = None
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...], str | None]:
    """Return path, query and host of a request's target. A host in the target takes precedence over the header's."""
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
