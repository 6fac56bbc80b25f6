"""Does a test fail if a step is taken away? Each patch breaks one atomic step, re-check or ordering of the core.

A patch is applied to a copy of the package, the tests run against the copy, and one of them must fail or hang. What
survives is a test that is missing, or a step that is not needed; `SURVIVORS` says which.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tests.adversary import mutation_aio, mutation_hot, mutation_rest, mutation_slow

ROOT = Path(__file__).parents[2]
COPIED = ("lightbroker", "tests", "pyproject.toml", "README.md")
QUICK = ("tests/contract", "tests/core/test_queue.py", "tests/core/test_clock.py", "tests/core/test_topic.py")
FULL = (
    *QUICK,
    *("tests/core/test_broker.py", "tests/core/test_worker.py", "tests/adversary/interrupts/test_interrupt_points.py"),
    *(
        "tests/adversary/schedules/test_schedule.py",
        "tests/adversary/interrupts/test_interrupt.py",
        "tests/adversary/models/test_stdlib_oracle.py",
    ),
    *(
        "tests/adversary/models/test_total_queue.py",
        "tests/adversary/models/test_model.py",
        "tests/core/test_memory.py",
    ),
    *("tests/core/test_waiting.py", "tests/aio/test_broker.py", "tests/aio/test_io.py", "tests/aio/test_topic.py"),
    "tests/adversary/interrupts/test_aio_interrupt.py",
    *("tests/aio/test_waiting.py", "tests/aio/test_worker.py", "tests/adversary/interrupts/test_cancel_storm.py"),
)
# Other stores, and tests of the tests.
NOT_THESE = "not sqlite and not redis and not notices and not sees and not seen and not finds"
HANGS = 20.0  # seconds that one test may take
LONGEST = 600.0  # seconds that all of them may take

#: Patches that no test sees, and why that is so.
SURVIVORS: dict[str, str] = {
    "take does not look whether it is closed": "the subscription looks itself, and its buffer closes after it",
    "refuse rouses one push": "whoever is roused in vain rouses the next when it leaves",
    "close rouses one pull": "whoever is roused in vain rouses the next when it leaves",
    "a replaced clock goes on": "an alarm is taken with the lock held, so two threads ring each only once",
}


class Patch(NamedTuple):
    """Replace `old`, which must be there exactly once, by `new`."""

    what: str
    file: str
    old: str
    new: str


PATCHES = tuple(
    Patch(what, file, old, new)
    for listed in (mutation_hot.PATCHES, mutation_slow.PATCHES, mutation_rest.PATCHES, mutation_aio.PATCHES)
    for file, rows in listed.items()
    for what, old, new in rows
)


def run(
    patches: Sequence[Patch] = PATCHES, *, suite: Sequence[str] = FULL, workers: int = os.cpu_count() or 1
) -> dict[str, Any]:
    """Apply each of `patches` in a copy of its own and run `suite` there; which were caught, how, and which were not.

    Raises RuntimeError if the suite fails without a patch, and LookupError if a patch does not fit the code.
    """
    with _copy() as root:
        failure = _failure(root, suite)
    if failure:
        raise RuntimeError(f"the tests fail without any patch: {failure}")
    with ThreadPoolExecutor(workers) as pool:
        found = dict(zip(patches, pool.map(partial(_attempt, suite=suite), patches)))
    survivors = [patch.what for patch, failure in found.items() if not failure]
    return {
        "patches": len(patches),
        "caught": len(patches) - len(survivors),
        "caught_by": dict(Counter(failure.partition("::")[0] for failure in found.values() if failure)),
        "survivors": {what: SURVIVORS.get(what, "no reason is known: a test is missing") for what in survivors},
    }


def misfits(patches: Iterable[Patch] = PATCHES) -> list[str]:
    """Which patches no longer fit the code, or do not compile."""
    return [patch.what for patch in patches if _patched(ROOT, patch) is None]


def _patched(root: Path, patch: Patch) -> str | None:
    text = (root / "lightbroker" / patch.file).read_text()
    if text.count(patch.old) != 1:
        return None
    text = text.replace(patch.old, patch.new)
    compile(text, patch.what, "exec")
    return text


def _attempt(patch: Patch, suite: Sequence[str]) -> str:
    with _copy() as root:
        text = _patched(root, patch)
        if text is None:
            raise LookupError(f"the patch {patch.what!r} does not fit {patch.file}")
        (root / "lightbroker" / patch.file).write_text(text)
        return _failure(root, suite)


@contextmanager
def _copy() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
            else:
                shutil.copy(ROOT / name, root / name)
        yield root


def _failure(root: Path, suite: Sequence[str]) -> str:
    """The first test that fails or hangs; empty if none does."""
    options = ("-x", "-k", NOT_THESE, "-p", "no:cacheprovider", "--tb=no", "--timeout", str(HANGS), "-rfE")
    command = (sys.executable, "-m", "pytest", *options, *suite)
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            output, _ = process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            process.kill()
            return "time-out"
    if process.returncode == 0:
        return ""
    failed = [line.split()[1] for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0] if failed else "hang or crash"
