"""A pacer in a process of its own: it sleeps through a plan and ticks, and no GIL keeps it from waking in time.

In the process under test a sender that wakes up waits for the GIL before it can send. With a pacer outside, what the
timer oversleeps and what the wait for the GIL costs are told apart: planned -> ticked -> sent.

The process says `READY`, takes the planned times on standard input, writes one byte for each message that is due, and
then the times of its ticks. All times are nanoseconds of `perf_counter_ns`, which the processes of one machine share.
"""

import os
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

READY = b"r"
_TICKS = 4096


class Pacer:
    """The process, as the sender sees it. A context manager; leaving it ends the process."""

    def __enter__(self) -> "Pacer":
        """Start the process and wait until it is ready."""
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
        """Put each body when the pacer ticks for it, and note when; returns the times of the ticks."""
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
    """The process: read the plan from one file descriptor, tick on the other."""
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
