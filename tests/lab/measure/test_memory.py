"""Looking at the memory of the process does not change it."""

import gc
import sys
import tracemalloc

import pytest

from lightbroker.lab.measure.memory import resident


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the resident set")
def test_looking_at_the_memory_takes_none() -> None:
    def traced(looks: int) -> int:
        for _ in range(looks):
            assert resident()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = traced(1_000)
        assert traced(50_000) - before < 1_000  # often enough to resize any table to which a look adds something
    finally:
        tracemalloc.stop()
