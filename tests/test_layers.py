"""Imports point up the layout of the package, and the core needs the standard library alone.

The layout stands in `lightbroker._LAYOUT` for the whole package, and in the docstring of each folder for its modules:
one line for those that stand side by side, names first, then two or more spaces and what they are for.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import lightbroker

ROOT = Path(lightbroker.__file__).parent
LINE = re.compile(r"^(?: {4})?(\w+(?: \w+)*) {2,}\S", re.MULTILINE)

STANDARD = ("core", "stores", "aio", "server")  # what these import is in the standard library, but for
CLIENTS = {f"stores.redis.{part}" for part in ("connections", "call_retries", "subscriber")}  # which import redis
ALLOWED = {
    ("stores", "stores.sqlite"),  # a store is loaded when a URL names it
    ("stores", "stores.redis"),
    ("cli", "lab"),  # `lightbroker bench`
}
LONGEST = 300  # lines of a module
FULLEST = 12  # modules of a folder, beside its __init__
CORE = 1950  # lines of code in the core


def modules() -> dict[str, Path]:
    """Return every module by its dotted name below `lightbroker`; a folder has the name of its `__init__`."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


@cache
def floors(folder: str) -> dict[str, int]:
    """Return on which line of its folder's map each name stands."""
    if not folder:
        text = lightbroker._LAYOUT
    else:
        text = ast.get_docstring(ast.parse(MODULES[folder].read_text(encoding="utf-8")), clean=False) or ""
    lines = [found.group(1).split() for found in LINE.finditer(text)]
    return {name: floor for floor, names in enumerate(lines) for name in names}


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports, those of `from a import b` as a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relative to itself"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(name: str) -> str:
    """Return the module that a name below `lightbroker` belongs to."""
    while name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def parting(one: str, other: str) -> tuple[str, str, str]:
    """Return the innermost folder that holds both modules, and the name in it that leads to each."""
    ways = [*one.split(".")], [*other.split(".")]
    shared = 0
    while shared < min(map(len, ways)) and ways[0][shared] == ways[1][shared]:
        shared += 1
    return ".".join(ways[0][:shared]), *(way[shared] if len(way) > shared else "" for way in ways)


@pytest.mark.parametrize("folder", sorted({"", *(n for n, path in MODULES.items() if path.stem == "__init__")}))
def test_the_map_of_a_folder_names_what_is_there(folder: str) -> None:
    children = {name.removeprefix(folder).removeprefix(".") for name in MODULES if name.startswith(folder)}
    children = {name for name in children if name and "." not in name}
    assert set(floors(folder)) == children


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_from_above(module: str) -> None:
    for name in imports(MODULES[module]):
        if name.partition(".")[0] != "lightbroker":
            library = name.partition(".")[0]
            if module.partition(".")[0] in STANDARD:
                assert library in sys.stdlib_module_names or (module in CLIENTS and library == "redis"), (
                    f"{module} imports {name}: not in the standard library"
                )
            continue
        other = module_of(name.partition(".")[2])
        if not module or not other:
            continue  # the public names
        folder, mine, theirs = parting(module, other)
        if not mine or not theirs:
            continue  # a folder's own names
        upwards = floors(folder)[theirs] <= floors(folder)[mine]
        allowed = {(module.partition(".")[0], other.partition(".")[0]), (module, other.rpartition(".")[0])} & ALLOWED
        assert upwards or allowed, f"{module} imports {name}, which stands below it"


def test_no_imports_go_in_a_circle() -> None:
    above = {
        m: {module_of(n.partition(".")[2]) for n in imports(p) if n.startswith("lightbroker.")}
        for m, p in MODULES.items()
    }
    left = {module: names - {"", module} for module, names in above.items() if module}
    while ready := [module for module, names in left.items() if not names & left.keys()]:
        for module in ready:
            del left[module]
    assert not left, f"these import each other: {sorted(left)}"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_module_is_too_long_to_be_one_idea(module: str) -> None:
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_no_folder_is_too_full_to_be_seen_at_a_glance() -> None:
    for folder in {path.parent for path in MODULES.values()}:
        count = len([path for path in folder.glob("*.py") if path.name != "__init__.py"])
        assert count <= FULLEST, f"{folder.relative_to(ROOT)} has {count} modules"


def code_lines(path: Path) -> int:
    """Count the lines that hold code: no blanks, no comments, no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and ast.get_docstring(
            node
        ):
            docstrings.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    return sum(
        1 for number, line in lines if line.strip() and not line.lstrip().startswith("#") and number not in docstrings
    )


def test_the_core_stays_small_enough_to_be_read() -> None:
    assert sum(code_lines(path) for name, path in MODULES.items() if name.partition(".")[0] == "core") <= CORE


def test_importing_the_package_loads_no_database_and_nothing_from_outside() -> None:
    command = "import sys; known = set(sys.modules); import lightbroker; print(*(set(sys.modules) - known))"
    run = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, timeout=60, cwd=ROOT.parent)
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    assert "lightbroker" in loaded, run.stderr
    assert "sqlite3" not in loaded
    assert loaded <= sys.stdlib_module_names | {"lightbroker"}
