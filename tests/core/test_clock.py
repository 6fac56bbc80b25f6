"""The clocks: a manual one that is exact, and the machine's, whose thread lives only while an alarm is set."""

import threading
import time

import pytest

from lightbroker import ManualClock, SystemClock
from tests.support import PATIENCE, wait_until


class Bell:
    """Writes down when it rang, and sets its alarm again for the times in `again`."""

    def __init__(self, clock: ManualClock | SystemClock, rings: list[tuple[str, float]], name: str = "") -> None:
        self._clock, self._rings, self._name = clock, rings, name
        self.again: list[float] = []
        self.rang = threading.Event()
        self.alarm = clock.alarm(self.ring)

    def ring(self) -> None:
        self._rings.append((self._name, self._clock.monotonic()))
        if self.again:
            self.alarm.set(self.again.pop(0))
        self.rang.set()


def clock_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "lightbroker-clock"}


def test_a_manual_clock_stands_still_until_it_is_told() -> None:
    clock = ManualClock()
    assert clock.monotonic() == clock.time() == 0.0
    clock.advance(2.5)
    clock.advance(0)
    assert clock.monotonic() == clock.time() == 2.5
    assert ManualClock(1000).time() == 1000.0


def test_alarms_ring_in_the_order_of_their_times_and_see_them() -> None:
    clock, rings = ManualClock(), []
    bells = {name: Bell(clock, rings, name) for name in ("c", "a", "b")}
    for name, when in (("c", 3.0), ("a", 1.0), ("b", 2.0)):
        bells[name].alarm.set(when)
    clock.advance(2.5)
    assert rings == [("a", 1.0), ("b", 2.0)]
    clock.advance(0.5)
    assert rings[2:] == [("c", 3.0)]
    clock.advance(100.0)
    assert len(rings) == 3


def test_alarms_of_the_same_time_ring_in_the_order_in_which_they_were_set() -> None:
    clock, rings = ManualClock(), []
    bells = [Bell(clock, rings, name) for name in "abc"]
    for bell in bells:
        bell.alarm.set(1.0)
    clock.advance(1.0)
    assert [name for name, _ in rings] == ["a", "b", "c"]


def test_an_alarm_set_again_on_the_way_rings_within_the_same_advance() -> None:
    clock, rings = ManualClock(), []
    bell = Bell(clock, rings)
    bell.again = [2.0, 3.5, 10.0]
    bell.alarm.set(1.0)
    clock.advance(5.0)
    assert rings == [("", 1.0), ("", 2.0), ("", 3.5)]
    assert clock.monotonic() == 5.0


def test_an_alarm_moves_to_an_earlier_time_only() -> None:
    clock, rings = ManualClock(), []
    bell = Bell(clock, rings)
    for when in (5.0, 2.0, 9.0):
        bell.alarm.set(when)
    clock.advance(20.0)
    assert rings == [("", 2.0)]


def test_a_cancelled_alarm_is_silent_until_it_is_set_again() -> None:
    clock, rings = ManualClock(), []
    bell = Bell(clock, rings)
    bell.alarm.set(1.0)
    bell.alarm.cancel()
    clock.advance(2.0)
    assert rings == []
    bell.alarm.set(3.0)
    clock.advance(1.0)
    assert rings == [("", 3.0)]


def test_an_alarm_set_for_the_past_rings_at_the_next_advance() -> None:
    clock, rings = ManualClock(10.0), []
    Bell(clock, rings).alarm.set(3.0)
    bell = Bell(clock, rings)
    bell.alarm.set(3.0)
    clock.advance(0)
    assert rings == [("", 10.0)]


def test_an_alarm_keeps_nobody_alive() -> None:
    clock, rings = ManualClock(), []
    bell = Bell(clock, rings)
    alarm = bell.alarm
    alarm.set(1.0)
    del bell
    clock.advance(2.0)
    assert rings == []


@pytest.mark.parametrize("start", [0.0, 1000.0, 1_700_000_000.0])
@pytest.mark.parametrize(("step", "steps"), [(0.1, 10), (0.001, 1000), (1 / 3, 3), (0.7, 10)])
def test_small_steps_reach_the_time_that_they_add_up_to(start: float, step: float, steps: int) -> None:
    clock, rings = ManualClock(start), []
    bell = Bell(clock, rings)
    bell.alarm.set(start + round(step * steps, 6))
    for _ in range(steps - 1):
        clock.advance(step)
    assert rings == []
    clock.advance(step)
    assert len(rings) == 1


@pytest.mark.parametrize("seconds", [-1, -1e-9, float("nan"), float("inf"), 10**400])
def test_time_takes_no_senseless_step(seconds: float) -> None:
    clock = ManualClock(5.0)
    with pytest.raises(ValueError, match="seconds"):
        clock.advance(seconds)
    assert clock.monotonic() == 5.0


@pytest.mark.parametrize("seconds", ["1", None, True])
def test_a_step_is_a_number(seconds: float) -> None:
    with pytest.raises(TypeError, match="seconds"):
        ManualClock().advance(seconds)


@pytest.mark.parametrize(("start", "error"), [(float("nan"), ValueError), (float("inf"), ValueError), ("0", TypeError)])
def test_a_start_is_a_finite_number(start: float, error: type[Exception]) -> None:
    with pytest.raises(error, match="start"):
        ManualClock(start)


def test_the_system_clock_tells_the_machine_s_time() -> None:
    clock = SystemClock()
    assert time.monotonic() <= clock.monotonic() <= time.monotonic()
    assert abs(clock.time() - time.time()) < 60


def test_an_alarm_of_the_system_clock_rings_in_time_and_its_thread_ends() -> None:
    clock, rings = SystemClock(), []
    before = clock_threads()
    bell = Bell(clock, rings)
    assert clock_threads() <= before
    due = clock.monotonic() + 0.02
    bell.alarm.set(due)
    assert bell.rang.wait(PATIENCE)
    assert rings[0][1] >= due
    wait_until(lambda: clock_threads() <= before)


def test_the_thread_of_the_system_clock_comes_back_when_an_alarm_is_set_again() -> None:
    clock, rings = SystemClock(), []
    before = clock_threads()
    bell = Bell(clock, rings)
    for _ in range(3):
        bell.rang.clear()
        bell.alarm.set(clock.monotonic())
        assert bell.rang.wait(PATIENCE)
        wait_until(lambda: clock_threads() <= before)
    assert len(rings) == 3


def test_a_thread_of_the_system_clock_that_leaves_is_not_counted_on() -> None:
    clock, rings = SystemClock(), []
    bell = Bell(clock, rings)
    bell.alarm.set(clock.monotonic())
    assert bell.rang.wait(PATIENCE)
    wait_until(lambda: clock._agenda._thread is None)


def test_a_thread_of_the_system_clock_that_was_killed_is_replaced() -> None:
    clock, rings = SystemClock(), []
    dead = threading.Thread(target=int)
    dead.start()
    dead.join()
    clock._agenda._thread = dead
    bell = Bell(clock, rings)
    bell.alarm.set(clock.monotonic())
    assert bell.rang.wait(PATIENCE)


def test_an_earlier_alarm_wakes_the_thread_that_waits_for_a_later_one() -> None:
    clock, rings = SystemClock(), []
    before = clock_threads()
    late, early = Bell(clock, rings, "late"), Bell(clock, rings, "early")
    late.alarm.set(clock.monotonic() + 3600.0)
    wait_until(lambda: len(clock._agenda.changed._waiters) == 1)  # type: ignore[attr-defined]
    early.alarm.set(clock.monotonic())
    assert early.rang.wait(PATIENCE)
    assert len(clock_threads() - before) == 1
    late.alarm.cancel()
    wait_until(lambda: clock_threads() <= before)
    assert [name for name, _ in rings] == ["early"]


def test_an_alarm_beyond_what_the_system_can_wait_for_does_no_harm() -> None:
    clock, rings = SystemClock(), []
    far, soon = Bell(clock, rings, "far"), Bell(clock, rings, "soon")
    far.alarm.set(1e300)
    soon.alarm.set(clock.monotonic())
    assert soon.rang.wait(PATIENCE)
    far.alarm.cancel()


def test_an_alarm_that_fails_does_not_keep_the_others_from_ringing(caplog: pytest.LogCaptureFixture) -> None:
    clock, rings = SystemClock(), []

    class Broken:
        def ring(self) -> None:
            raise ZeroDivisionError("its own fault")

    broken, bell = Broken(), Bell(clock, rings)
    now = clock.monotonic()
    clock.alarm(broken.ring).set(now + 0.02)
    bell.alarm.set(now + 0.03)
    assert bell.rang.wait(PATIENCE)
    assert "its own fault" in caplog.text
