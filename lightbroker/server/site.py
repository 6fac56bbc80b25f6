"""What the server shows: which path is answered with what. No request changes the broker."""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from importlib import resources
from typing import Any

from lightbroker import __version__
from lightbroker.core.broker import Broker
from lightbroker.core.errors import BrokerError
from lightbroker.core.histogram import BOUNDS, Histogram
from lightbroker.core.queue import Queue
from lightbroker.core.store import Excerpt, Inspectable
from lightbroker.server import metrics
from lightbroker.server.dead_letter import letter_json
from lightbroker.server.health import Health
from lightbroker.server.http import Request, Response

_DEFAULT_LETTERS = 20  # dead letters in an answer, unless the request has a limit
_MOST_LETTERS = 100  # the highest limit
_SHOWN = 4096  # bytes of a body, and characters of an error and of a traceback
_METHODS = ("GET", "HEAD")


class BrokerSite:
    """The site of one broker; see `listener.Site`.

    It answers /metrics, /health, / (a live page), /stats.json (the numbers for that page) and /queues/NAME/dlq?limit=N.
    """

    def __init__(self, broker: Broker, health: Health) -> None:
        self._broker, self._health = broker, health
        self._page = _page()

    def answer(self, request: Request) -> Response | Callable[[], Response]:
        """Return the answer to a request; see `listener.Site`."""
        answer = self._find(request)
        if answer is None:
            return self.refuse(HTTPStatus.NOT_FOUND, "there are /, /metrics, /health, /stats.json, /queues/NAME/dlq")
        if request.method not in _METHODS:
            refused = self.refuse(HTTPStatus.METHOD_NOT_ALLOWED, "this server only shows: use GET or HEAD")
            return refused._replace(headers={"Allow": ", ".join(_METHODS)})
        return answer

    def refuse(self, status: HTTPStatus, reason: str) -> Response:
        """Return an error as a JSON object with the same keys as that of /health."""
        return _json(status, {"status": "error", "reason": reason})

    def _find(self, request: Request) -> Response | Callable[[], Response] | None:
        if request.path == ("",):
            return self._page
        if request.path == ("metrics",):
            return self._show_metrics
        if request.path == ("health",):
            return self._show_health
        if request.path == ("stats.json",):
            return self._show_stats
        if len(request.path) == 3 and request.path[::2] == ("queues", "dlq"):
            return _ShowLetters(self, request.path[1], dict(request.query).get("limit"))
        return None

    def _show_metrics(self) -> Response:
        try:
            text = metrics.exposition(self._broker)
        except BrokerError as error:
            return self.refuse(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        return Response(HTTPStatus.OK, metrics.CONTENT_TYPE, text.encode())

    def _show_health(self) -> Response:
        report = self._health.report()
        return _json(HTTPStatus.OK if report["status"] == "ok" else HTTPStatus.SERVICE_UNAVAILABLE, report)

    def _show_stats(self) -> Response:
        report = self._health.report()
        try:
            for name, queue in self._broker.queues.items():
                if name in report["queues"]:
                    report["queues"][name] |= {
                        "oldest_age_seconds": queue.oldest_age(),
                        "wait": _histogram(queue.wait_times),
                        "processing": _histogram(queue.handling_times),
                    }
        except BrokerError as error:
            return self.refuse(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        now = self._broker.clock.monotonic()
        return _json(HTTPStatus.OK, {"version": __version__, "time": now, "bounds": BOUNDS, **report})

    def show_letters(self, name: str, limit: str | None) -> Response:
        """Answer GET /queues/NAME/dlq?limit=N with the newest dead letters of a queue."""
        queue = self._broker.queues.get(name)
        if queue is None:
            return self.refuse(HTTPStatus.NOT_FOUND, f"there is no queue {name!r:.300}")
        if limit is not None and not (re.fullmatch("[0-9]{1,9}", limit) and 1 <= int(limit) <= _MOST_LETTERS):
            reason = f"limit must be a number from 1 to {_MOST_LETTERS}, not {limit!r:.100}"
            return self.refuse(HTTPStatus.BAD_REQUEST, reason)
        try:
            dead = queue.stats().dead
            newest = _newest_dead(queue, _DEFAULT_LETTERS if limit is None else int(limit))
        except BrokerError as error:
            return self.refuse(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        letters = [letter_json(excerpt, _SHOWN) for excerpt in reversed(newest)]
        return _json(HTTPStatus.OK, {"queue": name, "dead": dead, "newest_first": letters})


@dataclass(frozen=True)
class _ShowLetters:
    """A call of `show_letters`. Two that ask for the same compare equal, so the listener can share one call.

    `functools.partial` would not do: two partials never compare equal.
    """

    site: BrokerSite
    name: str
    limit: str | None

    def __call__(self) -> Response:
        return self.site.show_letters(self.name, self.limit)


def _newest_dead(queue: Queue, most: int) -> list[Excerpt]:
    """Return the `most` newest dead letters, oldest first, and of long bodies the beginning where the store can cut."""
    if isinstance(queue.stored, Inspectable):
        return queue.stored.newest_dead(most, _SHOWN)
    return list(map(Excerpt.whole, queue.stored.dead_letters()[-most:]))


def _json(status: HTTPStatus, value: object) -> Response:
    # ASCII escapes, because the text of an error may hold lone surrogates, which cannot be encoded in UTF-8.
    return Response(status, "application/json", json.dumps(value, allow_nan=False).encode("ascii") + b"\n")


def _histogram(histogram: Histogram) -> dict[str, Any]:
    reading = histogram.read()
    return {"counts": reading.counts, "seconds": reading.seconds}


def _page() -> Response:
    """Return the live page.

    Its Content-Security-Policy allows its own script and style, by their digests, and requests to this server. It
    allows nothing else.
    """
    page = resources.files(__package__).joinpath("dashboard.html").read_bytes()

    def digest(tag: bytes) -> str:
        found = re.search(b"<%b>(.*?)</%b>" % (tag, tag), page, re.DOTALL)
        assert found is not None
        return base64.b64encode(hashlib.sha256(found[1]).digest()).decode("ascii")

    policy = (
        f"default-src 'none'; script-src 'sha256-{digest(b'script')}'; style-src 'sha256-{digest(b'style')}'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Response(HTTPStatus.OK, "text/html; charset=utf-8", page, {"Content-Security-Policy": policy})
