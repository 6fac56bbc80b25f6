"""A pacer: a process that sleeps until each planned time and then wakes the sender in the process under test.

A sender that paces itself waits for the GIL after its timer has fired and before it can send. A pacer has a GIL of its
own, so the two delays can be told apart. From planned to ticked the timer is late, and from ticked to sent the sender
waits for the GIL.

The pacer writes `READY`, reads the planned times from its standard input, writes one byte for each message that is
due, and at the end the times of its ticks. All times are nanoseconds of `perf_counter_ns`. On Linux, the processes of
one machine share that clock.
"""

import os
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

READY = b"r"  #: what the process writes when it has started
_TICKS = 4096  # bytes to read at a time


class Pacer:
    """The pacer's process as the sender sees it, a context manager. Leaving it ends the process."""

    def __enter__(self) -> "Pacer":
        command = (sys.executable, "-c", "from lightbroker.lab.measure.pacer import pace; pace(0, 1)")
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._plan, self._ticks = self._process.stdin, self._process.stdout
        if self._ticks.read(1) != READY:
            self.__exit__()
            raise RuntimeError("the pacer did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._plan.close()
        self._ticks.close()
        self._process.wait()

    def relay(
        self, put: Callable[[bytes], object], bodies: Sequence[bytes], planned: NDArray[np.int64], sent: "array[int]"
    ) -> NDArray[np.int64]:
        """Send each body when the pacer ticks for it.

        Args:
            put: Sends a body.
            bodies: The bodies, in the order of the plan.
            planned: When to send each, in nanoseconds of `perf_counter_ns`.
            sent: Filled with the times at which each was sent, likewise.

        Returns:
            The times of the ticks, likewise: when the pacer woke for each body.

        Raises:
            RuntimeError: The pacer ended before its plan did.
        """
        self._plan.write(planned.tobytes())
        self._plan.close()
        read, now, messages, at = self._ticks.fileno(), time.perf_counter_ns, len(bodies), 0
        while at < messages:
            due = len(os.read(read, min(_TICKS, messages - at)))
            if not due:
                raise RuntimeError(f"the pacer ended after {at} of {messages} messages")
            for index in range(at, at + due):
                sent[index] = now()
                put(bodies[index])
            at += due
        return np.frombuffer(self._ticks.read(), np.int64)


def pace(plan: int, ticks: int) -> None:
    """Run the pacer in its process: read the plan from one file descriptor, and tick on the other."""
    os.write(ticks, READY)
    planned = array("q")
    with os.fdopen(plan, "rb") as stream:
        planned.frombytes(stream.read())
    ticked = array("q", bytes(8 * len(planned)))
    now, index = time.perf_counter_ns, 0
    while index < len(planned):
        while (ahead := planned[index] - now()) > 0:
            time.sleep(ahead * 1e-9)
        first, at = index, now()
        while index < len(planned) and planned[index] <= at:
            ticked[index] = at
            index += 1
        os.write(ticks, b"." * (index - first))
    with os.fdopen(ticks, "wb") as stream:
        stream.write(ticked.tobytes())
