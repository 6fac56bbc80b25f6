"""Replaying keeps to the recorded time axis, at any speed."""

import io
import math

import pytest

from lightbroker.watcher import Recording
from lightbroker.watcher.format import RecordingWriter
from tests.watcher.toychain import branch

OFFSETS = [0.0, 12.0, 24.0, 24.0, 60.0]


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        """Start at an arbitrary moment, as monotonic clocks do."""
        self.now = 1000.0
        self.sleeps: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self.sleeps.append(seconds)
        self.now += seconds


@pytest.fixture
def recording() -> Recording:
    """Return five heads, two of them at once."""
    stream = io.BytesIO()
    with RecordingWriter(stream, {}) as writer:
        for offset, head in zip(OFFSETS, branch(None, len(OFFSETS)), strict=True):
            writer.head(offset, head)
    return Recording(io.BytesIO(stream.getvalue()), "five")


@pytest.mark.parametrize("speed", [0.5, 1.0, 4.0])
def test_heads_come_at_their_offsets_divided_by_the_speed(recording: Recording, speed: float) -> None:
    time = Time()
    arrivals = [time.now - 1000 for _ in recording.replay(speed=speed, sleep=time.sleep, now=lambda: time.now)]
    assert arrivals == [offset / speed for offset in OFFSETS]
    assert len(time.sleeps) == 3


def test_an_infinite_speed_never_sleeps(recording: Recording) -> None:
    time = Time()
    heads = list(recording.replay(speed=math.inf, sleep=time.sleep, now=lambda: time.now))
    assert heads == [head for _, head in recording]
    assert time.sleeps == []


def test_the_time_that_a_consumer_takes_is_not_added(recording: Recording) -> None:
    time = Time()
    arrivals = []
    for _ in recording.replay(sleep=time.sleep, now=lambda: time.now):
        arrivals.append(time.now - 1000)
        time.now += 13
    assert arrivals == [0, 13, 26, 39, 60]


def test_a_recording_can_be_replayed_again(recording: Recording) -> None:
    assert list(recording.replay(speed=math.inf)) == list(recording.replay(speed=math.inf))


@pytest.mark.parametrize("speed", [0, -1, math.nan])
def test_a_speed_must_be_positive(recording: Recording, speed: float) -> None:
    with pytest.raises(ValueError, match="speed must be positive, got"):
        recording.replay(speed=speed)
