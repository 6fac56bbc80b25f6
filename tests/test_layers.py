"""Imports point up the layout of the package, and the core needs the standard library alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lightbroker

ROOT = Path(lightbroker.__file__).parent

# Each may import from those before it and from its own folder; a name stands for the modules below it as well.
LAYOUT = [
    *("errors", "clock", "message", "pattern", "policy"),
    *("storage.waiting", "storage.base", "storage"),
    *("histogram", "queue", "topic", "shared_topic", "worker", "broker", "aio"),
    *("process", "metrics", "health", "http", "listener", "site", "server"),
    *("watcher", "demo", "terminal", "cli", "__main__"),
    "lab",
]
CORE = LAYOUT[: LAYOUT.index("watcher")]
CLIENTS = {
    (f"storage.redis_{part}", "redis") for part in ("link", "trouble", "wait", "inbox", "topics")
}  # loaded with their store
ALLOWED = {("broker", "storage"), ("cli", "lab")}  # a store is loaded when a URL names it; the command is last


def place(module: str) -> str:
    """Return where in the layout a module stands, the nearest name above it."""
    while module and module not in LAYOUT:
        module = module.rpartition(".")[0]
    return module


def imports(path: Path) -> set[str]:
    """Return the dotted names that a file imports, those of `from a import b` as a.b."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relative to itself"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def modules() -> dict[str, Path]:
    found = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in ROOT.rglob("*.py")}
    return {name: path for name, path in found.items() if name != "__init__"}


@pytest.mark.parametrize("module", modules())
def test_a_module_imports_only_from_above(module: str) -> None:
    own = place(module)
    assert own, f"{module} has no place in the layout"
    for name in imports(modules()[module]):
        if name.startswith("lightbroker."):
            other = place(name.removeprefix("lightbroker."))
            upwards = LAYOUT.index(other) <= LAYOUT.index(own) if other else name.count(".") == 1
            assert upwards or (own, other) in ALLOWED, f"{module} imports {name}, which stands below it"
        elif own in CORE:
            library = name.partition(".")[0]
            assert library in sys.stdlib_module_names or (module, library) in CLIENTS, (
                f"{module} imports {name}: not in the standard library"
            )


def test_importing_the_package_loads_no_database_and_nothing_from_outside() -> None:
    command = "import sys; known = set(sys.modules); import lightbroker; print(*(set(sys.modules) - known))"
    run = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, timeout=60, cwd=ROOT.parent)
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    assert "lightbroker" in loaded, run.stderr
    assert "sqlite3" not in loaded
    assert loaded <= sys.stdlib_module_names | {"lightbroker"}
