"""What is to be seen of a broker over HTTP: metrics, health, a live page, dead letters; nothing can be changed."""

import base64
import codecs
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
from lightbroker.server.health import Health
from lightbroker.server.http import Request, Response

_LETTERS = 20, 100  # dead letters that are shown: unless asked for more, and at most
_SHOWN = 4096  # bytes of a body, characters of an error and of a traceback
_METHODS = ("GET", "HEAD")


class BrokerSite:
    """GET /metrics, /health, /, /stats.json (for that page) and /queues/NAME/dlq?limit=N of one broker."""

    def __init__(self, broker: Broker, health: Health) -> None:
        self._broker, self._health = broker, health
        self._page = _page()

    def answer(self, request: Request) -> Response | Callable[[], Response]:
        """See `Site`."""
        answer = self._find(request)
        if answer is None:
            return self.refuse(HTTPStatus.NOT_FOUND, "there are /, /metrics, /health, /stats.json, /queues/NAME/dlq")
        if request.method not in _METHODS:
            refused = self.refuse(HTTPStatus.METHOD_NOT_ALLOWED, "this server only shows: use GET or HEAD")
            return refused._replace(headers={"Allow": ", ".join(_METHODS)})
        return answer

    def refuse(self, status: HTTPStatus, reason: str) -> Response:
        """See `Site`; a JSON object in the shape of /health."""
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
            return _ShowDead(self, request.path[1], dict(request.query).get("limit"))
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

    def show_dead(self, name: str, limit: str | None) -> Response:
        """GET /queues/NAME/dlq?limit=N."""
        queue = self._broker.queues.get(name)
        if queue is None:
            return self.refuse(HTTPStatus.NOT_FOUND, f"there is no queue {name!r:.300}")
        usual, most = _LETTERS
        if limit is not None and not (re.fullmatch("[0-9]{1,9}", limit) and 1 <= int(limit) <= most):
            return self.refuse(HTTPStatus.BAD_REQUEST, f"limit must be a number from 1 to {most}, not {limit!r:.100}")
        try:
            dead = queue.stats().dead
            newest = _newest_dead(queue, usual if limit is None else int(limit))
        except BrokerError as error:
            return self.refuse(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        letters = [letter_json(excerpt, _SHOWN) for excerpt in reversed(newest)]
        return _json(HTTPStatus.OK, {"queue": name, "dead": dead, "newest_first": letters})


@dataclass(frozen=True)
class _ShowDead:
    """`show_dead` with its arguments; equal for those who ask for the same, who can share what is read."""

    site: BrokerSite
    name: str
    limit: str | None

    def __call__(self) -> Response:
        return self.site.show_dead(self.name, self.limit)


def _newest_dead(queue: Queue, most: int) -> list[Excerpt]:
    if isinstance(queue.store, Inspectable):
        return queue.store.newest_dead(most, _SHOWN)
    return list(map(Excerpt.whole, queue.store.dead_letters()[-most:]))


def _json(status: HTTPStatus, value: object) -> Response:
    # ASCII, because an error's text may hold what UTF-8 cannot.
    return Response(status, "application/json", json.dumps(value, allow_nan=False).encode("ascii") + b"\n")


def _histogram(histogram: Histogram) -> dict[str, Any]:
    reading = histogram.read()
    return {"counts": reading.counts, "seconds": reading.seconds}


def letter_json(excerpt: Excerpt, most: int) -> dict[str, Any]:
    """A dead letter as JSON can hold it, with `most` bytes of its body and characters of its error and traceback."""
    letter = excerpt.letter
    message = letter.message
    return {
        "id": message.id,
        "reason": letter.reason,
        "error": letter.error[:most],
        "traceback": letter.traceback[-most:],
        "attempts": message.attempts,
        "accepted_at": message.timestamp,
        "first_failed_at": letter.first_failed_at,
        "last_failed_at": letter.last_failed_at,
        "headers": dict(message.headers),
        "body": _body(message.body[:most], excerpt.size),
    }


def _body(shown: bytes, size: int) -> dict[str, Any]:
    cut = size > len(shown)
    about = {"bytes": size, "truncated": cut}
    try:
        # A character that the cut went through is left out; anywhere else it says that this is no text.
        return {**about, "text": codecs.getincrementaldecoder("utf-8")().decode(shown, final=not cut)}
    except UnicodeDecodeError:
        return {**about, "base64": base64.b64encode(shown).decode("ascii")}


def _page() -> Response:
    """The live page. Its policy lets it run its own script and style and talk to this server, and nothing else."""
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
