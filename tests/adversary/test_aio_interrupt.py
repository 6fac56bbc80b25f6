"""Ctrl-C before any bytecode of the hot path for coroutines: no message lost, none counted twice, no permit leaked.

The path never suspends here, so no event loop is needed: a coroutine is driven by hand.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

import pytest

from lightbroker import Broker, QueueClosed
from lightbroker.aio import AsyncBroker
from lightbroker.aio.direct import DirectDelivery, DirectQueue

_TOOL = 3  # one of the numbers that sys.monitoring leaves to anybody


def finish(coroutine: Any) -> Any:
    """Run a coroutine that does not suspend."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it suspended")


def interrupted(code: CodeType, at: int, call: Callable[[], object]) -> bool:
    """Make the call, and raise KeyboardInterrupt before the bytecode number `at` of `code`; whether it came to that."""
    passed = 0

    def step() -> None:
        nonlocal passed
        passed += 1
        if passed == at:
            raise KeyboardInterrupt

    with before_every_bytecode(code, step):
        try:
            call()
        except KeyboardInterrupt:
            return True
    return False


@contextmanager
def before_every_bytecode(code: CodeType, step: Callable[[], None]) -> Iterator[None]:
    """Call `step` there. From 3.12 on, a trace function misses some of them; see `schedule_run.monitoring`."""
    if sys.version_info >= (3, 12):
        tools, instruction = sys.monitoring, sys.monitoring.events.INSTRUCTION
        tools.use_tool_id(_TOOL, "interrupt")
        tools.register_callback(_TOOL, instruction, lambda code, offset: step())
        tools.set_local_events(_TOOL, code, instruction)
        try:
            yield
        finally:
            tools.set_local_events(_TOOL, code, 0)
            tools.free_tool_id(_TOOL)
        return

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code is not code:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            step()
        return trace

    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(None)


@pytest.mark.parametrize("verb", ["push", "pull", "ack"])
def test_the_law_holds_whatever_bytecode_is_interrupted(verb: str) -> None:
    code = {"push": DirectQueue.push, "pull": DirectDelivery.__await__, "ack": DirectDelivery.ack}[verb].__code__
    at = 0
    went_on = True
    while went_on:
        at += 1
        with Broker() as broker:
            queue = asyncio.run(AsyncBroker(broker).queue("q", capacity=3))
            finish(queue.push(b"a"))
            delivery = finish(queue.pull())
            finish(queue.push(b"b"))
            calls: dict[str, Callable[[], object]] = {
                "push": lambda: finish(queue.push(b"c")),  # noqa: B023
                "pull": lambda: finish(queue.pull()),  # noqa: B023
                "ack": lambda: delivery.ack(),  # noqa: B023
            }
            went_on = interrupted(code, at, calls[verb])
            broker.check()
            stats = queue.threads.stats()
            assert stats.held + stats.acked == 2 + (verb == "push" and stats.accepted == 3)
    assert at > 20, "the path has more bytecodes than that"


def test_a_pull_that_meets_the_close_leaves_the_word_for_the_next() -> None:
    with Broker() as broker:
        queue = asyncio.run(AsyncBroker(broker).queue("q"))
        memory: Any = queue.threads.store
        memory._tokens.put(deque())  # as `close` does, at the moment between the look whether it did and the step
        for _ in range(2):
            with pytest.raises(QueueClosed):
                finish(queue.pull())
        assert memory._tokens.get_nowait() == deque()
