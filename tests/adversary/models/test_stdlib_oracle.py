"""A queue passes CPython's own tests for queues, wherever they apply."""

import gc
from itertools import count

import pytest

from tests.adversary.models import stdlib_oracle


def test_every_case_of_cpython_that_applies_passes() -> None:
    if stdlib_oracle.find_oracle() is None:
        pytest.skip("the interpreter ships without the package test")
    report = stdlib_oracle.run()
    assert report["failed"] == {}
    assert report["passed"] >= 12
    assert {case.partition(".")[0] for case in report["skipped"]} >= {"CLifoQueueTest", "CFailingQueueTest"}


def test_a_reason_is_given_for_skipping_and_for_nothing_else() -> None:
    oracle = stdlib_oracle.find_oracle()
    if oracle is None:
        pytest.skip("the interpreter ships without the package test")
    chosen, skipped = stdlib_oracle.cases(oracle)
    assert {type(case).__name__ for case in chosen} == set(stdlib_oracle.ADAPTED)
    assert all(any(case.startswith(name) for case in skipped) for name in stdlib_oracle.SKIPPED)


def test_a_push_that_the_garbage_collector_starts_inside_another_loses_nothing() -> None:
    queue = stdlib_oracle.Queue()
    numbers = count()

    class Circular:
        def __init__(self) -> None:
            self.circular = self

        def __del__(self) -> None:
            queue.put(next(numbers))

    got = []
    while len(got) < 5_000:
        Circular()
        queue.put(next(numbers))
        got.append(queue.get())
    gc.collect()
    got += [queue.get() for _ in range(queue.qsize())]
    assert sorted(got) == list(range(next(numbers)))
