"""The measuring process itself: its collector and its memory."""

import gc
import os
from pathlib import Path


def freeze() -> None:
    """Take the harness's own objects out of the collector's way; what is built later is collected as ever."""
    gc.collect()
    gc.freeze()


def resident() -> int | None:
    """Bytes of the resident set; None where the system does not tell."""
    try:  # bytes: to open a text leaves a string of its codec's in CPython's cache of methods, often another each time
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None
