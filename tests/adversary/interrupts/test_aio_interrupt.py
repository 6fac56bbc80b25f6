"""Ctrl-C before any bytecode of the hot path for coroutines: no message lost, none counted twice, no permit leaked.

The path never suspends here, so no event loop is needed: a coroutine is driven by hand.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from lightbroker import Broker, QueueClosed
from lightbroker.aio import AsyncBroker
from lightbroker.aio.direct import DirectDelivery, DirectQueue
from tests.adversary.schedules.bytecode import interrupted


def finish(coroutine: Any) -> Any:
    """Run a coroutine that does not suspend."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it suspended")


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
            stats = queue._sync_queue.stats()
            assert stats.held + stats.acked == 2 + (verb == "push" and stats.accepted == 3)
    assert at > 20, "the path has more bytecodes than that"


def test_a_pull_that_meets_the_close_puts_the_empty_deque_back_for_the_next() -> None:
    with Broker() as broker:
        queue = asyncio.run(AsyncBroker(broker).queue("q"))
        memory: Any = queue._sync_queue.stored
        memory._steps.tokens.put(deque())  # as `close` does after the pull has looked whether the queue is closed
        for _ in range(2):
            with pytest.raises(QueueClosed):
                finish(queue.pull())
        assert memory._steps.tokens.get_nowait() == deque()
