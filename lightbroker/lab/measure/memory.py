"""The memory of the measuring process: how much of it is resident, and what its garbage collector looks at."""

import gc
import os
from pathlib import Path


def freeze() -> None:
    """Collect garbage, then exempt every object that exists now from later collections.

    The objects of the harness then cost a collection nothing. What the system under test allocates later is collected
    as usual, and that cost is part of what is measured.
    """
    gc.collect()
    gc.freeze()


def resident() -> int | None:
    """Return the resident set of this process in bytes, or None where the system does not tell (all but Linux)."""
    # Bytes, not text: opening a text file leaves a string of its codec in CPython's method cache, often a new one each
    # time, so looking at the memory would change it.
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None
