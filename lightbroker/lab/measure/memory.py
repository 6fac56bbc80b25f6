"""The memory of the measuring process: how much of it is resident, and what its garbage collector looks at."""

import gc
import os


def freeze() -> None:
    """Collect garbage, then exempt every object that exists now from later collections.

    The objects of the harness then cost a collection nothing. What the system under test allocates later is collected
    as usual, and that cost is part of what is measured.
    """
    gc.collect()
    gc.freeze()


def resident() -> int | None:
    """Return the resident set of this process in bytes, or None where the system does not tell (all but Linux)."""
    # To look at the memory must not change it. Opening a text file leaves a string of its codec in CPython's method
    # cache, often a new one each time. A `Path` interns its parts, and now and then that resizes the table of interned
    # strings.
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None
