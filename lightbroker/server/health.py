"""Is the broker well? One word, the reason, and the numbers of its queues.

A queue is stalled if, at every look for `stalled_after` seconds, it had ready messages and none had been acked or
retried since the look before: nobody works on it, or all who do are stuck. What producers do (pushing, overflowing) and
what time does (expiring) is no sign of life. A single ack makes it well again, and it cannot be stalled anew until as
many seconds have passed: the answer does not flap. Set it above the time of the longest handler.
"""

import threading
from dataclasses import asdict
from typing import Any

from lightbroker.core.broker import Broker
from lightbroker.core.errors import BrokerError, check_number
from lightbroker.core.store import QueueStats


class Health:
    """Looks at `broker`; stalled_after: seconds without progress that make a queue stalled (None: it never is)."""

    def __init__(self, broker: Broker, stalled_after: float | None = 60.0) -> None:
        self._broker = broker
        self._patience = None if stalled_after is None else check_number("stalled_after", stalled_after, above=True)
        self._born = broker.clock.monotonic()
        # Since when each queue that has work shows no progress, and how far it was then.
        self._idle: dict[str, tuple[float, tuple[int, int]]] = {}
        self._lock = threading.Lock()  # over `_idle` alone, never while the store is read

    def report(self) -> dict[str, Any]:
        """`status`, `reason` unless that is "ok", `uptime_seconds` of this object, `queues` with their stats.

        status: "ok", "draining", "closed", "stalled", or "error" if the store cannot be read.
        """
        queues: dict[str, QueueStats] = {}
        try:
            queues = self._broker.stats().queues
            status, reason = self._judge(queues)
        except BrokerError as error:
            status, reason = "error", str(error)
        if self._broker.state == "closed":  # after the look: a store that closes meanwhile is no error
            status, reason = "closed", "the broker is closed"
        elif self._broker.state == "draining":
            status, reason = "draining", "the broker takes nothing new and finishes what it holds"
        return {
            "status": status,
            **({"reason": reason} if reason else {}),
            "uptime_seconds": round(self._broker.clock.monotonic() - self._born, 3),
            "queues": {name: asdict(stats) for name, stats in queues.items()},
        }

    def _judge(self, queues: dict[str, QueueStats]) -> tuple[str, str]:
        now = self._broker.clock.monotonic()
        stalled = []
        with self._lock:
            for name, stats in queues.items():
                progress = (stats.acked, stats.retried)
                since, before = self._idle.get(name, (now, progress))
                if not stats.ready:
                    self._idle.pop(name, None)
                    continue
                if progress != before:
                    since = now
                self._idle[name] = (since, progress)
                if self._patience is not None and now - since >= self._patience:
                    stalled.append(f"queue {name!r} has {stats.ready} ready and settled none for {now - since:.0f} s")
        return ("stalled", "; ".join(stalled)) if stalled else ("ok", "")
