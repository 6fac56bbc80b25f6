"""What decides GET /health: a status, the reason for it, and the numbers of the queues.

The first line that is true gives the status:

    closed      the broker is closed
    draining    the broker drains: it accepts nothing new and finishes what it holds
    error       the store cannot be read
    stalled     at least one queue is stalled (see below)
    ok          otherwise

The server answers with HTTP status 200 for "ok" and 503 for every other status.

A queue is stalled when it has had ready messages for `stalled_after` seconds and none of its messages was acked or
retried in that time. Either no consumer pulls from it, or every consumer hangs. Other counts are no evidence of a
living consumer: producers push and overflow without one, and messages expire without one.

The numbers are compared once per report, so the seconds are counted from one report to a later one. A single ack or
retry makes the queue well again, and `stalled_after` seconds must pass before it can be stalled anew, so the status
does not flap. `stalled_after` should exceed the time of the slowest handler.
"""

import threading
from dataclasses import asdict
from typing import Any

from lightbroker.core.broker import Broker
from lightbroker.core.errors import BrokerError, check_number
from lightbroker.core.stats import QueueStats


class Health:
    """The health of one broker.

    It remembers the numbers of the last report, so keep one `Health` for as long as the broker is watched. Any number
    of threads may call `report`.

    Args:
        broker: The broker to judge.
        stalled_after: Seconds without an ack or a retry after which a queue with ready messages is stalled. With None
            no queue is ever stalled.

    Raises:
        TypeError, ValueError: `stalled_after` is not a number above 0.
    """

    def __init__(self, broker: Broker, stalled_after: float | None = 60.0) -> None:
        self._broker = broker
        if stalled_after is not None:
            check_number("stalled_after", stalled_after, above=True)
        self._stalled_after = stalled_after
        self._started = broker.clock.monotonic()
        # For each queue with ready messages: the counts (acked, retried) of the last report, and since when they stand.
        self._progress: dict[str, tuple[tuple[int, int], float]] = {}
        self._lock = threading.Lock()  # guards `_progress`; it is not held while the store is read, which may block

    def report(self) -> dict[str, Any]:
        """Return the health as a dictionary for JSON.

        Returns:
            `status`: one of the words above. `reason`: a sentence, absent when the status is "ok". `uptime_seconds`:
            seconds since this object was made. `queues`: the `QueueStats` of each queue by name, as a dictionary; it
            is empty when the store cannot be read.
        """
        queues: dict[str, QueueStats] = {}
        failure: BrokerError | None = None
        try:
            queues = self._broker.stats().queues
        except BrokerError as error:
            failure = error
        stalled = self._stalled(queues)
        # The state is read after the counts: if the broker was closed meanwhile, that explains the failure.
        state = self._broker.state
        if state == "closed":
            status, reason = "closed", "the broker is closed"
        elif state == "draining":
            status, reason = "draining", "the broker takes nothing new and finishes what it holds"
        elif failure is not None:
            status, reason = "error", str(failure)
        elif stalled:
            status, reason = "stalled", "; ".join(stalled)
        else:
            status, reason = "ok", ""
        return {
            "status": status,
            **({"reason": reason} if reason else {}),
            "uptime_seconds": round(self._broker.clock.monotonic() - self._started, 3),
            "queues": {name: asdict(stats) for name, stats in queues.items()},
        }

    def _stalled(self, queues: dict[str, QueueStats]) -> list[str]:
        """Compare the counts with those of the last report, and return a sentence for each queue that is stalled."""
        now = self._broker.clock.monotonic()
        stalled = []
        with self._lock:
            for name, stats in queues.items():
                if stats.ready == 0:
                    self._progress.pop(name, None)
                    continue
                counts = (stats.acked, stats.retried)
                counts_before, since = self._progress.get(name, (counts, now))
                if counts != counts_before:
                    since = now
                self._progress[name] = (counts, since)
                if self._stalled_after is not None and now - since >= self._stalled_after:
                    stalled.append(f"queue {name!r} has {stats.ready} ready and settled none for {now - since:.0f} s")
        return stalled
