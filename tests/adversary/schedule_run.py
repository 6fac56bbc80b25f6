"""Threads of lightbroker code that take turns as a schedule says, one at a time.

The unit is the bytecode of lightbroker: a call into C is atomic with the GIL, so threads may switch only between
bytecodes, and only those that can see or change shared state matter (`_visible`); the others commute. What blocks in C
is replaced by a cooperative twin: its call is one step as well, unless it has to wait. A timed wait may end at any
moment, by luck or by its time-out: both can be scheduled.
"""

import dis
import importlib
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from queue import Empty
from types import CodeType, FrameType, SimpleNamespace
from typing import Any
from unittest import mock

import lightbroker

PACKAGE = str(Path(lightbroker.__file__).parent)
SEEDED = str(Path(__file__).with_name("schedule_bugs.py"))
CORE = (
    "broker",
    "clock",
    "message",
    "queue",
    "topic",
    *(f"storage.{name}" for name in ("memory", "slow", "steps", "waiting")),
)
TRACED = frozenset((*(f"{PACKAGE}/{module.replace('.', '/')}.py" for module in CORE), SEEDED))

_SHARED = {
    *("BINARY_SUBSCR", "STORE_SUBSCR", "DELETE_SUBSCR", "CONTAINS_OP", "FOR_ITER", "LIST_EXTEND", "DICT_UPDATE"),
    *("BEFORE_WITH", "SETUP_WITH", "STORE_ATTR", "DELETE_ATTR"),
}
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
                sys.settrace(self._trace)
                thread.result = thread.work()
        except BaseException as error:
            thread.error = error
        finally:
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


class _Queue:
    """A `SimpleQueue` that waits in the scheduler. Who is woken up to Python 3.12 has to be quick to get the item."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque()

    def put(self, item: Any, block: Any = True, timeout: Any = None) -> None:
        self._items.append(item)

    def get(self, block: Any = True, timeout: float | None = None) -> Any:
        if not self._items and (not block or Run.active is None or not Run.active.wait(self._items.__len__, timeout)):
            raise Empty
        return self._items.popleft()

    def get_nowait(self) -> Any:
        return self.get(False)

    def qsize(self) -> int:
        return len(self._items)


class _HandingQueue(_Queue):
    """The same since Python 3.13: an item put while threads wait is given to the first of them, and to nobody else."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[list[Any]] = deque()

    def put(self, item: Any, block: Any = True, timeout: Any = None) -> None:
        if self._waiting:
            self._waiting.popleft().append(item)
        else:
            super().put(item)

    def get(self, block: Any = True, timeout: float | None = None) -> Any:
        if self._items or not block or Run.active is None:
            return super().get(False)
        given: list[Any] = []
        self._waiting.append(given)
        if not Run.active.wait(given.__len__, timeout):
            self._waiting = deque(other for other in self._waiting if other is not given)
            raise Empty
        return given[0]


class _Sleep:
    """The lock of a thread that waits with a time-out. When that ends the wait, its time has passed for everyone."""

    def __init__(self) -> None:
        self._free = True

    def acquire(self, timeout: float = -1.0) -> bool:
        run = Run.active
        if not self._free and run is not None and not run.wait(lambda: self._free, True):
            run.seconds += timeout
            return False
        self._free = False
        return True

    def release(self) -> None:
        self._free = True


def _seconds() -> float:
    return 0.0 if Run.active is None else Run.active.seconds


class _Lock:
    """A lock that anyone may release."""

    def __init__(self) -> None:
        self._held = False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        run = Run.active
        wait = None if timeout < 0 else timeout
        if self._held and (not blocking or run is None or not run.wait(lambda: not self._held, wait)):
            return False
        self._held = True
        return True

    def release(self) -> None:
        self._held = False

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class _RLock:
    """A reentrant lock, also as the condition of an agenda that nobody waits on."""

    def __init__(self) -> None:
        self._owner: object = None
        self._depth = 0

    def __enter__(self) -> bool:
        run = Run.active
        me = run.current if run is not None else self
        if run is not None and self._owner not in (None, me):
            run.wait(lambda: self._owner is None)
        self._owner = me
        self._depth += 1
        return True

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._owner = None

    def notify_all(self) -> None:
        pass


def _monotonic() -> float:
    return Run.active.passed if Run.active is not None else 0.0


@contextmanager
def cooperative(hands: bool = sys.version_info >= (3, 13)) -> Iterator[None]:
    """Inside, whatever the core makes that could block a thread blocks in the scheduler instead.

    hands: whether its queues give an item to who waits, as Python does since 3.13, or let others take it.
    """
    queue = _HandingQueue if hands else _Queue
    locks = SimpleNamespace(Lock=_Lock, RLock=_RLock, Condition=_RLock, TIMEOUT_MAX=threading.TIMEOUT_MAX)
    times = SimpleNamespace(monotonic=_monotonic, time=time.time, sleep=time.sleep)
    with ExitStack() as patches:
        for name in CORE:
            module = importlib.import_module(f"lightbroker.{name}")
            for attribute, twin in (("threading", locks), ("time", times), ("SimpleQueue", queue)):
                if hasattr(module, attribute):
                    patches.enter_context(mock.patch.object(module, attribute, twin))
        yield
