"""Imports point up the map in the package's docstring, never down, and the core needs the standard library alone."""

import ast
import re
from pathlib import Path

import lightbroker

ROOT = Path(lightbroker.__file__).parent


def layers() -> list[str]:
    """Return the modules and folders of the map, in order; "storage/a.py b.py" means both are in storage."""
    order = []
    for line in (lightbroker.__doc__ or "").splitlines():
        if match := re.match(r" {4}(\S.*?)  ", line):
            first, *others = match[1].split()
            folder = first.rpartition("/")[0]
            order += [first.rstrip("/"), *(f"{folder}/{other}".lstrip("/") for other in others)]
    return order


def imports(path: Path) -> set[str]:
    """Return what a file imports, by dotted name."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def layer(path: str) -> int:
    return max((n for n, top in enumerate(layers()) if path == top or path.startswith(f"{top}/")), default=-1)
