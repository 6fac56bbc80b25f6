"""When each message of a run was planned, sent, received and acked.

All times are nanoseconds of `perf_counter_ns`, in arrays whose index is the number that the message's body carries. A
time of 0 means that it never happened.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightbroker.lab.measure.audit import numbers
from lightbroker.lab.measure.consumers import Log

_NEVER = 0


@dataclass(frozen=True)
class MessageTimes:
    """The times of each message of a run.

    Attributes:
        planned: When it should have been sent; latency counts from here.
        sent: When its producer began to send it.
        received: When it was received for the first time.
        acked: When its ack had returned; only noted by consumers that run a handler.
        kept: The bodies to audit: those acked if the consumers run a handler, else those received.
    """

    planned: NDArray[np.int64]
    sent: NDArray[np.int64]
    received: NDArray[np.int64]
    acked: NDArray[np.int64]
    kept: list[bytes]

    def latency(self, first: int = 0) -> NDArray[np.int64]:
        """Return the nanoseconds from planned to received, of the messages from number `first` on that were received.

        The messages before `first` are the warm-up.
        """
        return self._until(self.received, first)

    def response(self, first: int = 0) -> NDArray[np.int64]:
        """Return the nanoseconds from planned to acked, of the messages from number `first` on that were acked."""
        return self._until(self.acked, first)

    def _until(self, times: NDArray[np.int64], first: int) -> NDArray[np.int64]:
        planned, times = self.planned[first:], times[first:]
        happened = times != _NEVER
        elapsed: NDArray[np.int64] = times[happened] - planned[happened]
        return elapsed


@dataclass(frozen=True)
class OpenLoopTimes(MessageTimes):
    """The times of an open loop.

    Attributes:
        ticked: When the pacer's process woke for each message; empty for a run without a pacer.
    """

    ticked: NDArray[np.int64]

    def send_lag(self, first: int = 0) -> NDArray[np.int64]:
        """Return the nanoseconds from planned to sent, of the messages from number `first` on."""
        return self.sent[first:] - self.planned[first:]

    def invalid(self) -> str | None:
        """Return why the run must not be used, or None if the offered load was really offered.

        A run is invalid if, in the last tenth of the plan, the median send lag exceeds 1 % of the plan's duration. An
        open loop exists to show a stall, and the sender may catch up after one. A sender that is still behind at the
        end cannot send at that rate, and its latency would grow with the duration of the run.
        """
        duration = int(self.planned[-1] - self.planned[0])
        lag = float(np.median(self.send_lag(len(self.planned) * 9 // 10)))
        if lag <= 0.01 * duration:
            return None
        return f"the sender fell behind its plan: at the end by {lag / 1e6:.1f} ms in {duration / 1e6:.0f} ms"


def collect(
    logs: Sequence[Log], messages: int, *, handled: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[bytes]]:
    """Return `received`, `acked` and `kept` of `MessageTimes` from what the consumers noted.

    Args:
        logs: What each consumer noted.
        messages: How many messages were sent. A body with a higher number, or with none, is kept and has no time.
        handled: Whether the consumers ran a handler.
    """
    received, acked = np.full((2, messages), _NEVER, np.int64)
    bodies = [body for log in logs for body in log.bodies]
    index = numbers(bodies)
    times = np.concatenate([log.received[: len(log.bodies)] for log in logs])
    acks = np.concatenate([log.acked[: len(log.bodies)] for log in logs])
    known = (index >= 0) & (index < messages)
    latest_first = np.argsort(-times[known], kind="stable")  # the first receipt is written last, so it remains
    received[index[known][latest_first]] = times[known][latest_first]
    settled = known & (acks != _NEVER)
    acked[index[settled]] = acks[settled]
    if handled:
        bodies = [body for body, ack in zip(bodies, acks.tolist(), strict=True) if ack != _NEVER]
    return received, acked, bodies
