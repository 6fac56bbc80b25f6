"""Threads of lightbroker code that take turns as a schedule says, one at a time.

The unit is the bytecode of lightbroker: a call into C is atomic with the GIL, so threads may switch only between
bytecodes, and only those that can see or change shared state matter (`_visible`); the others commute. A timed wait may
end at any moment, by luck or by its time-out: both can be scheduled. See `schedule_twins` for what waits.
"""

import dis
import gc
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import lightbroker

PACKAGE = str(Path(lightbroker.__file__).parent)
SEEDED = str(Path(__file__).with_name("schedule_bugs.py"))
CORE = (
    *("broker", "clock", "message", "queue", "store", "waiting"),
    *(f"memory.{part}" for part in ("batches", "expiry", "failing", "overflow", "queue", "steps")),
    *(f"topic.{part}" for part in ("buffer", "subscription", "topics")),
)
TRACED = frozenset((*(f"{PACKAGE}/core/{module.replace('.', '/')}.py" for module in CORE), SEEDED))

_SHARED = {
    *("BINARY_SUBSCR", "STORE_SUBSCR", "DELETE_SUBSCR", "CONTAINS_OP", "FOR_ITER", "LIST_EXTEND", "DICT_UPDATE"),
    *("BEFORE_WITH", "SETUP_WITH", "STORE_ATTR", "DELETE_ATTR"),
}
_MONITORING = sys.version_info >= (3, 12)
_TOOL = 3  # one of the numbers that sys.monitoring leaves to anybody
_MOST_STEPS = 20_000  # more than any race needs: whoever takes more spins


class Deadlock(AssertionError):
    """Threads wait for ever, or spin."""


class _Abandoned(BaseException):
    """Ends the threads of a run that has failed."""


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


@cache
def _changing() -> frozenset[str]:
    """Names of attributes that are set after construction; reading any other commutes with everything."""
    sources = [compile(Path(file).read_text(), file, "exec") for file in TRACED]
    return frozenset(
        instruction.argval
        for source in sources
        for code in _codes(source)
        if code.co_name != "__init__"
        for instruction in dis.get_instructions(code)
        if instruction.opname in ("STORE_ATTR", "DELETE_ATTR")
    )


@cache
def _visible(code: CodeType) -> frozenset[int]:
    """Offsets of the bytecodes before which a switch can make a difference."""
    return frozenset(
        instruction.offset
        for instruction in dis.get_instructions(code)
        if instruction.opname in _SHARED
        or instruction.opname.startswith("CALL")
        or (instruction.opname in ("LOAD_ATTR", "LOAD_METHOD") and instruction.argval in _changing())
    )


_managed = threading.local()  #: `run` of a thread that takes turns


_visible_in: dict[int, frozenset[int]] = {}  #: by the identity of a code object, because hashing one is slow


def _step(code: CodeType, offset: int) -> object:
    if offset not in _visible_in[id(code)]:
        return sys.monitoring.DISABLE
    run = getattr(_managed, "run", None)
    if run is not None:
        run.point()
    return None


@contextmanager
def monitoring() -> Iterator[None]:
    """Let `_step` see every bytecode. From 3.13 on, a trace function misses those of a function's first calls."""
    if not _MONITORING:
        yield
        return
    tools, instruction = sys.monitoring, sys.monitoring.events.INSTRUCTION
    tools.use_tool_id(_TOOL, "schedule")
    tools.register_callback(_TOOL, instruction, _step)
    functions = [found for found in gc.get_objects() if isinstance(found, FunctionType)]
    codes = {code for f in functions if f.__code__.co_filename in TRACED for code in _codes(f.__code__)}
    for code in codes:
        _visible_in[id(code)] = _visible(code)
        tools.set_local_events(_TOOL, code, instruction)
    try:
        yield
    finally:
        for code in codes:
            tools.set_local_events(_TOOL, code, 0)
        tools.free_tool_id(_TOOL)


class _Thread:
    def __init__(self, number: int, work: Callable[[], object]) -> None:
        self.number = number
        self.work = work
        self.turn = threading.Semaphore(0)
        self.result: object = None
        self.error: BaseException | None = None
        self.done = False
        self.wakes: Callable[[], object] | None = None  #: while it waits: whether what it waits for is there
        self.timed = False

    @property
    def can_run(self) -> bool:
        return not self.done and (self.wakes is None or bool(self.wakes()))


class Run:
    """One schedule: `prefix` says who goes on at each decision; after it nobody is preempted.

    patient: a time-out fires only when no thread can run; otherwise it may fire at any decision. `passed` is how many
    seconds of time-outs have fired: the time that the threads see.
    """

    active: "Run | None" = None

    def __init__(self, works: Sequence[Callable[[], object]], prefix: Sequence[int], patient: bool = False) -> None:
        self.prefix = prefix
        self.patient = patient
        self.passed = 0.0
        self.choices: list[int] = []
        self.options: list[tuple[int | None, list[int]]] = []  #: at each decision: who ran, and could go on; who else
        self.threads = [_Thread(number, work) for number, work in enumerate(works)]
        self.current: _Thread | None = None
        self.failure: BaseException | None = None
        self.seconds = 0.0  #: the time that ended time-outs have taken

    def execute(self) -> list[object]:
        """Run to the end; what the threads returned. Raises Deadlock, or the first exception that a thread raised."""
        Run.active = self
        started = [threading.Thread(target=self._live, args=(thread,), daemon=True) for thread in self.threads]
        try:
            for thread in started:
                thread.start()
            self._hand_on(None)
            for thread in started:
                thread.join()
        finally:
            Run.active = None
        for error in (self.failure, *(thread.error for thread in self.threads)):
            if error is not None:
                raise error
        return [thread.result for thread in self.threads]

    def point(self) -> None:
        """The running thread may be preempted here."""
        self._hand_on(self.current)

    def wait(self, wakes: Callable[[], object], timeout: float | None = None) -> bool:
        """The running thread waits; False if its time was over first."""
        me = self.current
        assert me is not None
        until = None if timeout is None else self.passed + timeout
        me.wakes, me.timed = wakes, timeout is not None
        self._hand_on(me)
        me.wakes = None
        woken = bool(wakes())
        if not woken and until is not None:
            self.passed = max(self.passed, until)
        return woken

    def _live(self, thread: _Thread) -> None:
        thread.turn.acquire()
        try:
            if self.failure is None:
                _managed.run = self
                if not _MONITORING:
                    sys.settrace(self._trace)
                thread.result = thread.work()
        except BaseException as error:
            thread.error = error
        finally:
            _managed.run = None
            if not _MONITORING:
                sys.settrace(None)
        thread.done = True
        if self.failure is None:
            self._hand_on(thread)

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename not in TRACED:
            return None
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        visible = _visible(frame.f_code)

        def step(frame: FrameType, event: str, arg: Any) -> Any:
            if event == "opcode" and frame.f_lasti in visible:
                self.point()
            return step

        return step

    def _hand_on(self, me: _Thread | None) -> None:
        if self.failure is not None:
            raise _Abandoned
        able = [thread.number for thread in self.threads if thread.can_run]
        if not (able and self.patient):
            able = [t.number for t in self.threads if t.number in able or (t.timed and not t.done and t.wakes)]
        if not able:
            if not all(thread.done for thread in self.threads):
                waiting = [thread.number for thread in self.threads if not thread.done]
                self._abandon(Deadlock(f"threads {waiting} wait for ever"), me)
            return
        on = me.number if me is not None and not me.done and me.wakes is None else None
        if len(able) > 1:
            at = len(self.choices)
            chosen = self.prefix[at] if at < len(self.prefix) else able[0] if on is None else on
            if at >= _MOST_STEPS or chosen not in able:
                text = "the threads spin" if at >= _MOST_STEPS else f"not deterministic at decision {at}"
                self._abandon(Deadlock(text), me)
                return
            self.choices.append(chosen)
            self.options.append((on, able))
        else:
            chosen = able[0]
        if me is None or chosen != me.number:
            self.current = self.threads[chosen]
            self.current.turn.release()
            if me is not None and not me.done:
                me.turn.acquire()
                if self.failure is not None:
                    raise _Abandoned

    def _abandon(self, failure: BaseException, me: _Thread | None) -> None:
        self.failure = failure
        for thread in self.threads:
            thread.turn.release()
        if me is not None and not me.done:
            raise _Abandoned
