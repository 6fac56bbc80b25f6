"""Does a test fail if a step is taken away? Each patch breaks one atomic step, re-check or ordering of the core.

A patch is applied to a copy of the package. The tests run against the copy, and one of them must fail or hang. If none
does, a test is missing or the step is not needed; `SURVIVORS` says which.
"""

import ast
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
from typing import Any

from tests.adversary.mutations import aio_pools, aio_queues, failing, pools, pull, push, timing, topics
from tests.adversary.mutations.patching import Misfit, Package, Patch

ROOT = Path(__file__).parents[3]
PACKAGE = "lightbroker"
COPIED = (PACKAGE, "tests", "pyproject.toml", "README.md")
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

PATCHES = tuple(
    Patch(what, where, old, new)
    for module in (push, pull, failing, timing, topics, pools, aio_queues, aio_pools)
    for where, rows in module.PATCHES.items()
    for what, old, new in rows
)


def run(
    patches: Sequence[Patch] = PATCHES, *, suite: Sequence[str] = FULL, workers: int = os.cpu_count() or 1
) -> dict[str, Any]:
    """Apply each of `patches` in a copy of its own, run `suite` there, and report which were caught and by what.

    Args:
        patches: What to try.
        suite: The tests to run, as arguments of pytest.
        workers: How many copies are tested at a time.

    Raises:
        LookupError: Some of the patches do not apply; it names each.
        RuntimeError: The suite fails without any patch.
    """
    if wrong := misfits(patches):
        raise LookupError("\n".join(wrong))
    with _copy() as root:
        _rewrite(root, patches)
        failure = _failure(root, suite)
    if failure:
        raise RuntimeError(f"the tests fail without any patch: {failure}")
    package = Package(ROOT / PACKAGE)
    # In this thread: two threads that parse at the same time can fail with a SystemError on CPython 3.11.
    changes = [(path.relative_to(ROOT), source) for path, source in map(package.apply, patches)]
    with ThreadPoolExecutor(workers) as pool:
        found = dict(zip(patches, pool.map(partial(_attempt, suite=suite), changes)))
    survivors = [patch.what for patch, failure in found.items() if not failure]
    return {
        "patches": len(patches),
        "caught": len(patches) - len(survivors),
        "caught_by": dict(Counter(failure.partition("::")[0] for failure in found.values() if failure)),
        "survivors": {what: SURVIVORS.get(what, "no reason is known: a test is missing") for what in survivors},
    }


def misfits(patches: Iterable[Patch] = PATCHES) -> list[str]:
    """Return the name of each patch that does not apply to the code, with the reason."""
    package, wrong = Package(ROOT / PACKAGE), []
    for patch in patches:
        try:
            package.apply(patch)
        except Misfit as misfit:
            wrong.append(str(misfit))
    return wrong


def _attempt(change: tuple[Path, str], suite: Sequence[str]) -> str:
    path, source = change
    with _copy() as root:
        (root / path).write_text(source, encoding="utf-8")
        return _failure(root, suite)


def _rewrite(root: Path, patches: Iterable[Patch]) -> None:
    """Write the modules that `patches` change as a patch writes them, but unchanged: without comments, on other lines.

    A test that fails because of that alone must not count as one that has caught a patch.
    """
    package = Package(root / PACKAGE)
    for path in {path for patch in patches for path in package.paths(patch)}:
        path.write_text(ast.unparse(ast.parse(path.read_text(encoding="utf-8"))) + "\n", encoding="utf-8")


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
    """Return the name of the first test that fails or hangs, or "" if none does."""
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
