"""What the operating system knows of this process: processor time, memory, open files, start time.

The names are those of Prometheus' own client libraries; see "Process metrics" in its guide "Writing client libraries".
A number that the platform does not offer is left out.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

_START_TIME = 21  # which field of /proc/self/stat is the start time, counted from 0; see proc(5)


class ProcessMetric(NamedTuple):
    """One number, with its name, Prometheus' type (counter or gauge) and a help text."""

    name: str
    kind: str
    help: str
    value: float


def process_metrics() -> Iterator[ProcessMetric]:
    """Yield the processor time, and on Linux also memory, open files and the time of the start."""
    cpu = time.process_time()
    yield ProcessMetric("process_cpu_seconds_total", "counter", "Processor time, user and system, in seconds.", cpu)
    with suppress(OSError, ValueError):  # no /proc, or one in another format
        opened = len(os.listdir("/proc/self/fd")) - 1  # not counting the one that lists the folder
        yield ProcessMetric("process_open_fds", "gauge", "Open file descriptors.", opened)
    with suppress(ImportError, OSError):
        import resource  # Windows has no such module

        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        yield ProcessMetric("process_max_fds", "gauge", "File descriptors that may be open at once.", most)
    with suppress(OSError, ValueError):
        virtual, resident = (int(pages) * os.sysconf("SC_PAGE_SIZE") for pages in _read("/proc/self/statm").split()[:2])
        yield ProcessMetric("process_resident_memory_bytes", "gauge", "Resident memory, in bytes.", resident)
        yield ProcessMetric("process_virtual_memory_bytes", "gauge", "Address space in use, in bytes.", virtual)
    with suppress(OSError, ValueError, StopIteration):
        stat = _read("/proc/self/stat")
        # Field 1 is the name of the program in parentheses, which may contain spaces: split behind it.
        ticks = int(stat[stat.rindex(")") :].split()[_START_TIME - 1])
        boot = next(int(line.split()[1]) for line in _read("/proc/stat").splitlines() if line.startswith("btime "))
        start = boot + ticks / os.sysconf("SC_CLK_TCK")
        yield ProcessMetric("process_start_time_seconds", "gauge", "When the process started, in Unix seconds.", start)


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
