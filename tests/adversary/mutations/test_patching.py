"""A patch finds its place by a name and a piece of syntax; one that does not apply is named, with the reason."""

from pathlib import Path
from textwrap import dedent

import pytest

from tests.adversary.mutations.patching import Misfit, Package, Patch

SHELF = '''
    """A shelf."""

    LIMIT = 3


    class Shelf:
        def __init__(self, on_full):
            self.items = []
            self.on_full = on_full

        def put(self, item):
            """Put `item` on the shelf."""
            if len(self.items) >= LIMIT:  # full
                self.on_full()
            elif item is None:
                raise ValueError("nothing")
            self.items.append(item)  # at the end
            self.items.sort()

        def clear(self):
            def empty(items):
                """Forget them all."""
                items.clear()

            empty(self.items)
            empty(self.items)
'''
REFORMATTED = '''
    LIMIT = (3)
    class Shelf:
        """Its text is another, and so is its layout."""
        def __init__(self, on_full): self.items = []; self.on_full = on_full

        def put(self, item):
            # No docstring.
            if (
                len(self.items)
                >= LIMIT
            ):
                self.on_full()
            elif item is None: raise ValueError('nothing')
            self.items.append(
                item,
            )
            # Sorted.
            self.items.sort()

        def clear(self):
            def empty(items): items.clear()
            empty(self.items)
            empty(self.items)
'''


def package(root: Path, **modules: str) -> Package:
    """Write `modules`, by their names with "__" for a dot, as a package."""
    for name, source in modules.items():
        path = root.joinpath("toy", *name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(source), encoding="utf-8")
    return Package(root / "toy")


@pytest.mark.parametrize(("name", "source"), [("shelf", SHELF), ("far__away__cupboard", REFORMATTED)])
@pytest.mark.parametrize(
    ("where", "old", "new", "expected"),
    [
        pytest.param("LIMIT", "3", "1", "LIMIT = 1\n", id="constant"),
        pytest.param("Shelf.put", "len(self.items) >= LIMIT", "False", "        if False:\n", id="expression"),
        pytest.param("Shelf.put", "item is None", "not item", "        elif not item:\n", id="elif"),
        pytest.param("Shelf.put", "self.on_full()", "", "LIMIT:\n            pass\n        elif", id="only statement"),
        pytest.param(
            "Shelf.put",
            "self.items.append(item)\nself.items.sort()",
            "",
            "raise ValueError('nothing')\n\n    def clear",
            id="last statements",
        ),
        pytest.param(
            "Shelf.put",
            """
            self.items.append(item)
            self.items.sort()
            """,
            """
            self.items.sort()
            self.items.append(item)
            """,
            "        self.items.sort()\n        self.items.append(item)\n",
            id="order",
        ),
        pytest.param("Shelf.put", "self.items.sort()", "return", "(item)\n        return\n", id="statement"),
        pytest.param(
            "Shelf.clear.empty", "items.clear()", "items.pop()", "            items.pop()\n", id="inner function"
        ),
        pytest.param("Shelf", "self.items = []", "self.items = {}", "        self.items = {}\n", id="class"),
        pytest.param(
            "Shelf.clear",
            """
            def empty(items):
                "Words that do not matter."
                items.clear()
            """,
            "empty = print",
            "    def clear(self):\n        empty = print\n",
            id="docstring",
        ),
    ],
)
def test_a_patch_applies_whatever_the_layout_the_comments_the_docstrings_and_the_file(
    tmp_path: Path, name: str, source: str, where: str, old: str, new: str, expected: str
) -> None:
    toy = package(tmp_path, **{name: source, "other": "x = 1"})
    path, patched = toy.apply(Patch("a patch", where, old, new))
    assert path.stem == name.rpartition("__")[2]
    assert expected in patched
    assert path.read_text() == dedent(source), "only the answer is changed, not the file"


@pytest.mark.parametrize(
    ("where", "old", "new", "why"),
    [
        ("Shelf.take", "x", "y", "no function, class or constant is called Shelf.take"),
        ("cupboard:Shelf.put", "x", "y", "no function, class or constant is called cupboard:Shelf.put"),
        ("Shelf.put", "self.items.pop()", "pass", "`old` not found in toy.shelf:Shelf.put"),
        ("Shelf.put", "items.append", "items.insert", "`old` not found in toy.shelf:Shelf.put"),
        ("Shelf.put", "self.items.append(item)\nself.on_full()", "", "`old` not found in toy.shelf:Shelf.put"),
        ("Shelf.put", "self.items", "()", "`old` found 3 times in toy.shelf:Shelf.put"),
        ("Shelf.clear", "empty(self.items)", "", "`old` found 2 times in toy.shelf:Shelf.clear"),
        ("Shelf.put", "self.items.sort()", "self . items.sort( )  # the same", "does not change anything"),
        ("Shelf.put", "self.items.sort()", "continue", "does not compile: 'continue' not properly in loop"),
        ("Shelf.put", "if item", "", "`old` is not Python: "),
        ("Shelf.put", "item", "if item", "`new` is not Python: "),
        ("Shelf.put", "", "pass", "`old` is empty"),
    ],
)
def test_a_misfit_names_the_patch_and_the_reason(tmp_path: Path, where: str, old: str, new: str, why: str) -> None:
    with pytest.raises(Misfit) as caught:
        package(tmp_path, shelf=SHELF).apply(Patch("the shelf breaks", where, old, new))
    assert str(caught.value).startswith(f"the shelf breaks: {why}")


def test_a_name_that_two_modules_define_is_looked_for_in_both_unless_one_is_named(tmp_path: Path) -> None:
    toy = package(
        tmp_path,
        shelf="def put(item):\n    lock()\n    insert(item)\n",
        aio__shelf="async def put(item):\n    await turn()\n    insert(item)\n",
    )
    patch = Patch("nothing is put", "put", "insert(item)", "")
    with pytest.raises(Misfit, match=r"`old` found 2 times in toy\.aio\.shelf:put and toy\.shelf:put"):
        toy.apply(patch)
    path, patched = toy.apply(patch._replace(where="aio.shelf:put"))
    assert path == tmp_path / "toy" / "aio" / "shelf.py"
    assert "insert" not in patched
    path, patched = toy.apply(patch._replace(old="lock()"))
    assert path == tmp_path / "toy" / "shelf.py"
    assert "lock" not in patched
    assert len(toy.paths(patch)) == 2


def test_the_definitions_of_one_name_in_one_module_count_as_one(tmp_path: Path) -> None:
    toy = package(
        tmp_path,
        shelf="""
            class Shelf:
                @property
                def size(self):
                    return self._size

                @size.setter
                def size(self, size):
                    self._size = size
        """,
    )
    _, patched = toy.apply(Patch("the size stays", "Shelf.size", "self._size = size", ""))
    assert "(self, size):\n        pass" in patched
    assert "return self._size" in patched
