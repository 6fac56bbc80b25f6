"""What became of each message when: the times of a run, by the number in the body."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightbroker.lab.measure.audit import numbers
from lightbroker.lab.measure.consumers import Log

_NEVER = 0


@dataclass(frozen=True)
class Times:
    """Times of each message, by its index, in nanoseconds of one clock; what never happened has the time 0.

    planned: where latency counts from; received: the first time; acked: only noted by consumers that run a handler;
    kept: the bodies for the audit, those received or, with a handler, those acked.
    """

    planned: NDArray[np.int64]
    sent: NDArray[np.int64]
    received: NDArray[np.int64]
    acked: NDArray[np.int64]
    kept: list[bytes]

    def latency(self, first: int = 0) -> NDArray[np.int64]:
        """Nanoseconds from planned to received, of the messages from index `first` on that arrived."""
        return self._until(self.received, first)

    def response(self, first: int = 0) -> NDArray[np.int64]:
        """Nanoseconds from planned to acked, of the messages from index `first` on that were acked."""
        return self._until(self.acked, first)

    def _until(self, times: NDArray[np.int64], first: int) -> NDArray[np.int64]:
        planned, times = self.planned[first:], times[first:]
        happened = times != _NEVER
        elapsed: NDArray[np.int64] = times[happened] - planned[happened]
        return elapsed


@dataclass(frozen=True)
class OpenLoop(Times):
    """The times of an open loop; ticked: when the pacer in its own process woke, empty without one."""

    ticked: NDArray[np.int64]

    def send_lag(self, first: int = 0) -> NDArray[np.int64]:
        """Nanoseconds from planned to sent, of the messages from index `first` on."""
        return self.sent[first:] - self.planned[first:]

    def invalid(self) -> str | None:
        """Why the run must not be used, or None: the offered load was not offered.

        The rule: in the last tenth of the plan the median send lag exceeds 1 % of the plan's duration. A stall that the
        sender catches up with is what an open loop exists to show; one that it still carries at the end means that
        it cannot send at that rate, and that the latency would grow with the duration of the run.
        """
        duration = int(self.planned[-1] - self.planned[0])
        lag = float(np.median(self.send_lag(len(self.planned) * 9 // 10)))
        if lag <= 0.01 * duration:
            return None
        return f"the sender fell behind its plan: at the end by {lag / 1e6:.1f} ms in {duration / 1e6:.0f} ms"


def collect(
    logs: Sequence[Log], messages: int, *, handled: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[bytes]]:
    """`received`, `acked` and `kept` of `Times`, from what the consumers recorded; handled: with a handler."""
    received, acked = np.full((2, messages), _NEVER, np.int64)
    bodies = [body for log in logs for body in log.bodies]
    index = numbers(bodies)
    times = np.concatenate([log.received[: len(log.bodies)] for log in logs])
    acks = np.concatenate([log.acked[: len(log.bodies)] for log in logs])
    known = (index >= 0) & (index < messages)
    latest_first = np.argsort(-times[known], kind="stable")  # so that the first receipt is what remains
    received[index[known][latest_first]] = times[known][latest_first]
    settled = known & (acks != _NEVER)
    acked[index[settled]] = acks[settled]
    if handled:
        bodies = [body for body, ack in zip(bodies, acks.tolist(), strict=True) if ack != _NEVER]
    return received, acked, bodies
