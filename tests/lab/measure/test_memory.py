"""Looking at the memory of the process does not change it."""

import gc
import sys
import tracemalloc

import pytest

from lightbroker.lab.measure.memory import resident


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the resident set")
def test_looking_at_the_memory_takes_none() -> None:
    def traced() -> int:
        for _ in range(1000):
            assert resident()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = traced()
        assert traced() - before < 1000
    finally:
        tracemalloc.stop()
