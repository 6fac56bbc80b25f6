"""Change one place of a package, found by the name of a function and by a piece of its syntax tree.

A patch quotes no line of a file. It still applies when comments, docstrings or the formatting change, and when a module
moves to another folder. When the code that it quotes is rewritten, it does not apply, and `Misfit` says why.
"""

import ast
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from operator import setitem
from pathlib import Path
from textwrap import dedent
from typing import Any, Literal, NamedTuple

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Patch(NamedTuple):
    """Replace `old`, which occurs exactly once in `where`, by `new`.

    Attributes:
        what: The mutated behaviour, in words; no two patches have the same.
        where: The qualified name of a function, class or constant: "MemoryQueue.push". If several modules define it,
            `old` must occur once in all of them together; "aio.waiting:attempt" means only modules whose dotted name
            ends in "aio.waiting".
        old: An expression, or statements that follow one another in one body.
        new: The same. Empty deletes the statements.
    """

    what: str
    where: str
    old: str
    new: str


#: Patches without repetition: for each `where`, rows of `what`, `old` and `new`.
Table = Mapping[str, Sequence[tuple[str, str, str]]]


class Misfit(LookupError):
    """A patch that does not apply."""

    def __init__(self, patch: Patch, why: str) -> None:
        super().__init__(f"{patch.what}: {why}")


class Package:
    """The modules in a folder, and which of them define a name."""

    def __init__(self, root: Path) -> None:
        self._paths: dict[str, Path] = {}
        self._modules: dict[str, list[str]] = defaultdict(list)  # by the qualified name that they define
        for path in sorted(root.rglob("*.py")):
            module = ".".join(path.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__")
            self._paths[module] = path
            for name in dict.fromkeys(name for name, _ in _definitions(_parse(path))):
                self._modules[name].append(module)

    def paths(self, patch: Patch) -> list[Path]:
        """Return the files that define what `patch.where` names. Raises Misfit if there is none."""
        return [self._paths[module] for module in self._defining(patch)]

    def apply(self, patch: Patch) -> tuple[Path, str]:
        """Return the file that `patch` changes, and its source with the change; write nothing. Raises Misfit."""
        old, new = _statements(patch, "old"), _statements(patch, "new")
        if not old:
            raise Misfit(patch, "`old` is empty")
        if _same(old, new):
            raise Misfit(patch, "does not change anything")
        name = patch.where.rpartition(":")[2]
        trees = {module: _parse(self._paths[module]) for module in self._defining(patch)}
        changes = [
            (module, change)
            for module, tree in trees.items()
            for defined, scope in _definitions(tree)
            if defined == name
            for change in _changes(scope, old, new)
        ]
        if len(changes) != 1:
            count = f"found {len(changes)} times" if changes else "not found"
            raise Misfit(patch, f"`old` {count} in {' and '.join(f'{module}:{name}' for module in trees)}")
        [(module, change)] = changes
        change()
        try:
            source = ast.unparse(trees[module]) + "\n"
            compile(source, module, "exec")
        except (SyntaxError, ValueError) as error:
            raise Misfit(patch, f"does not compile: {error}") from None
        return self._paths[module], source

    def _defining(self, patch: Patch) -> list[str]:
        tail, _, name = patch.where.rpartition(":")
        modules = [module for module in self._modules.get(name, ()) if not tail or f".{module}".endswith(f".{tail}")]
        if not modules:
            raise Misfit(patch, f"no function, class or constant is called {patch.where}")
        return modules


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _statements(patch: Patch, field: Literal["old", "new"]) -> list[ast.stmt]:
    try:
        return ast.parse(dedent(getattr(patch, field)).strip()).body
    except SyntaxError as error:
        raise Misfit(patch, f"`{field}` is not Python: {error}") from None


def _definitions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.stmt]]:
    """Yield every function, class and constant below `node` with its qualified name."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _SCOPES):
            yield prefix + child.name, child
            yield from _definitions(child, f"{prefix}{child.name}.")
        elif isinstance(child, (ast.Assign, ast.AnnAssign)) and isinstance(node, (ast.Module, ast.ClassDef)):
            targets = child.targets if isinstance(child, ast.Assign) else [child.target]
            yield from ((prefix + target.id, child) for target in targets if isinstance(target, ast.Name))
        else:
            yield from _definitions(child, prefix)


def _changes(scope: ast.stmt, old: list[ast.stmt], new: list[ast.stmt]) -> Iterator[Callable[[], None]]:
    """Yield, for each place in `scope` where `old` is, the call that puts `new` there."""
    if len(old) == len(new) == 1 and isinstance(old[0], ast.Expr) and isinstance(new[0], ast.Expr):
        return _expression_changes(scope, old[0].value, new[0].value)
    return _statement_changes(scope, old, new)


def _expression_changes(scope: ast.stmt, old: ast.expr, new: ast.expr) -> Iterator[Callable[[], None]]:
    for parent in ast.walk(scope):
        for field, value in ast.iter_fields(parent):
            if isinstance(value, list):
                yield from (partial(setitem, value, at, new) for at, each in enumerate(value) if _same(each, old))
            elif _same(value, old):
                yield partial(setattr, parent, field, new)


def _statement_changes(scope: ast.stmt, old: list[ast.stmt], new: list[ast.stmt]) -> Iterator[Callable[[], None]]:
    for parent in ast.walk(scope):
        for field, body in ast.iter_fields(parent):
            if isinstance(body, list):
                emptied = len(body) == len(old) and field in ("body", "finalbody")  # an empty `else` just goes
                put: list[ast.stmt] = new or ([ast.Pass()] if emptied else [])
                for start in range(len(body) - len(old) + 1):
                    run = slice(start, start + len(old))
                    if _same(body[run], old):
                        yield partial(setitem, body, run, put)


def _same(one: Any, other: Any) -> bool:
    """Return whether two syntax trees differ in nothing but positions and docstrings."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, ast.AST):
        return all(_same(_part(one, field), _part(other, field)) for field in one._fields)
    return bool(one == other)


def _part(node: ast.AST, field: str) -> Any:
    """Return a field of a node; of a function or class that has a docstring, the body without it."""
    part: Any = getattr(node, field, None)
    if field == "body" and isinstance(node, _SCOPES) and ast.get_docstring(node, clean=False) is not None:
        return part[1:]
    return part
