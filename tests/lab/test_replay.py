"""Scripted interleavings: the same script, the same outcome."""

from collections.abc import Generator

import pytest

from lightbroker.lab.replay import replay


def take(items: list[int]) -> Generator[None, None, int]:
    head = items[0]
    yield
    items.remove(head) if head in items else None
    return head


def test_the_script_decides_who_runs_when() -> None:
    items = [1, 2]
    assert replay("A B A B", {"A": take(items), "B": take(items)}) == {"A": 1, "B": 1}
    items = [1, 2]
    assert replay("A A B B", {"A": take(items), "B": take(items)}) == {"A": 1, "B": 2}


def test_a_thread_that_has_not_ended_returned_nothing() -> None:
    assert replay("A", {"A": take([1])}) == {}


def test_a_step_that_cannot_be_is_refused_with_its_place() -> None:
    with pytest.raises(ValueError, match="step 2 is of 'C', but the threads are A"):
        replay("A C", {"A": take([1])})
    with pytest.raises(ValueError, match="step 3 is of 'A', which has ended"):
        replay("A A A", {"A": take([1])})


def test_an_exception_of_a_thread_is_raised() -> None:
    with pytest.raises(IndexError):
        replay("A", {"A": take([])})
