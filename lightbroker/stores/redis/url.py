"""Where a Redis server is, as a URL says it. No error's text holds the password."""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from lightbroker.core.errors import without_password

_PREFIX = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True)
class Address:
    """How to reach a server, and the prefix that keeps the brokers on it apart."""

    host: str
    port: int = 6379
    database: int = 0
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    prefix: str = "lightbroker"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.tls else 'redis'}://{host}:{self.port}/{self.database}"


def read_url(url: str) -> Address:
    """Read `redis://[user:password@]host[:port][/database][?prefix=…]`, or `rediss://` for TLS.

    User and password are percent-encoded if need be. Raises ValueError that says what is wrong with the URL.
    """
    shown = without_password(url)
    try:
        parts = urlsplit(url)
        if "@" in parts.path + parts.query + parts.fragment:
            raise ValueError("the password was taken for the end of the host")
    except ValueError:  # what urlsplit says may show the password
        raise ValueError(f"store: {shown!r} cannot be read; user and password must be percent-encoded") from None
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"store: {shown!r}: the port must be a number up to 65535") from None
    if not host or parts.fragment:
        raise ValueError(f"store: {shown!r} names no server; write redis://host:6379/0")
    database = parts.path.strip("/") or "0"
    if not (database.isascii() and database.isdigit()):
        raise ValueError(f"store: {shown!r}: the database must be a number, not {database!r}")
    options = {"prefix": "lightbroker", **dict(parse_qsl(parts.query, keep_blank_values=True))}
    prefix = options.pop("prefix")
    if options:
        raise ValueError(f"store: {shown!r} has the unknown option {', '.join(sorted(options))}; there is: prefix")
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"store: prefix must be 1 to 64 of the characters A-Z a-z 0-9 _ . -, not {prefix!r}")
    user, password = (unquote(word) if word else None for word in (parts.username, parts.password))
    return Address(
        host, 6379 if port is None else port, int(database), user, password, parts.scheme == "rediss", prefix
    )
