"""KeyboardInterrupt before one certain bytecode of a function."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

_TOOL = 3  # one of the numbers that sys.monitoring leaves to anybody


def interrupted(code: CodeType, at: int, call: Callable[[], object]) -> bool:
    """Make the call, and raise KeyboardInterrupt before the bytecode number `at` of `code`; whether it came to that."""
    passed = 0

    def step() -> None:
        nonlocal passed
        passed += 1
        if passed == at:
            raise KeyboardInterrupt

    with _before_every_bytecode(code, step):
        try:
            call()
        except KeyboardInterrupt:
            return True
    return False


@contextmanager
def _before_every_bytecode(code: CodeType, step: Callable[[], None]) -> Iterator[None]:
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
