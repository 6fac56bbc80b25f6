"""Histograms: every observation is counted once, whoever counts and whoever reads meanwhile."""

import threading
from collections.abc import Callable

import pytest

from lightbroker import Broker, ManualClock, Message, Queue, Retry
from lightbroker.core.histogram import BOUNDS, Histogram
from tests.support import wait_until

Open = Callable[..., Queue]


def buckets(histogram: Histogram) -> dict[float, int]:
    """Return the counts that are not zero by the upper bound of their bucket."""
    counts = zip((*BOUNDS, float("inf")), histogram.read().counts)
    return {bound: count for bound, count in counts if count}


def test_an_observation_falls_into_the_first_bucket_whose_bound_it_does_not_exceed() -> None:
    histogram = Histogram()
    with histogram.tally() as tally:
        for seconds in (0.0, 0.00005, 0.00006, 1.0, 1.0001, 300.0, 300.1):
            tally.record(seconds)
    assert buckets(histogram) == {0.00005: 2, 0.0001: 1, 1.0: 1, 2.5: 1, 300.0: 1, float("inf"): 1}
    assert histogram.read().seconds == pytest.approx(602.10021 - 0.0001)


def test_a_histogram_that_nobody_filled_reads_as_zero() -> None:
    reading = Histogram().read()
    assert reading.counts == (0,) * (len(BOUNDS) + 1)
    assert reading.seconds == 0.0


def test_writers_at_the_same_time_have_a_tally_each_and_those_after_them_go_on_with_it() -> None:
    histogram = Histogram()
    with histogram.tally() as first, histogram.tally() as second:
        assert first is not second
        first.record(1.0)
        second.record(1.0)
    with histogram.tally() as third, histogram.tally() as fourth:
        assert {id(third), id(fourth)} == {id(first), id(second)}
        third.record(1.0)
    assert buckets(histogram) == {1.0: 3}


@pytest.mark.usefixtures("switching")
def test_nothing_is_lost_between_writers_that_come_and_go_and_what_is_read_never_goes_down() -> None:
    histogram = Histogram()
    writers, rounds, each = 4, 10, 200

    def write() -> None:
        for _ in range(rounds):
            with histogram.tally() as tally:
                for _ in range(each):
                    tally.record(0.0001)

    threads = [threading.Thread(target=write) for _ in range(writers)]
    for thread in threads:
        thread.start()
    seen = [0]
    while any(thread.is_alive() for thread in threads):
        seen.append(sum(histogram.read().counts))
    assert seen == sorted(seen)
    assert buckets(histogram) == {0.0001: writers * rounds * each}
    assert histogram.read().seconds == pytest.approx(writers * rounds * each * 0.0001)
    assert len(histogram._tallies) <= writers


def test_a_pool_records_how_long_messages_waited_and_how_long_they_were_handled(
    broker: Broker, open_queue: Open, clock: ManualClock
) -> None:
    queue = open_queue()
    queue.push("a")
    queue.push("b", delay=3.0)
    clock.advance(5.0)
    with broker.workers("q", lambda message: clock.advance(0.2), workers=1):
        wait_until(lambda: queue.stats().acked == 2)
    assert buckets(queue.wait_times) == {5.0: 1, 10.0: 1}
    assert queue.wait_times.read().seconds == pytest.approx(5.0 + 5.2)
    assert buckets(queue.handling_times) == {0.25: 2}


def test_a_failure_is_recorded_as_handled_and_its_repetition_not_as_waiting(
    broker: Broker, open_queue: Open, clock: ManualClock
) -> None:
    queue = open_queue(retry=Retry(max_attempts=3, base=0.0))

    def fail(message: Message) -> None:
        clock.advance(1.0)
        raise ValueError

    queue.push("poison")
    with broker.workers("q", fail, workers=1):
        wait_until(lambda: queue.stats().dead == 1)
    assert buckets(queue.wait_times) == {0.00005: 1}
    assert buckets(queue.handling_times) == {1.0: 3}


def test_a_clock_that_was_set_back_makes_no_negative_wait(
    broker: Broker, open_queue: Open, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = open_queue()
    queue.push("a")
    monkeypatch.setattr(clock, "time", lambda: 0.0)
    with broker.workers("q", lambda message: None, workers=1):
        wait_until(lambda: queue.stats().acked == 1)
    assert queue.wait_times.read().seconds == 0.0


def test_what_a_pool_recorded_outlives_it(broker: Broker, open_queue: Open) -> None:
    queue = open_queue()
    for done in range(1, 4):
        with broker.workers("q", lambda message: None, workers=2):
            queue.push("a")
            wait_until(lambda: queue.stats().acked == done)  # noqa: B023 - it is called in this round
        assert sum(queue.handling_times.read().counts) == done
    assert len(queue.handling_times._tallies) <= 2
