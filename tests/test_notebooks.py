"""The notebooks stay honest: run in order, with outputs, light, and with figures that are the committed ones."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

import lightbroker

ROOT = Path(lightbroker.__file__).parents[1]
PACKAGE = ROOT / "lightbroker"
FOLDER = ROOT / "notebooks"
PAGES = sorted(FOLDER.glob("*.ipynb"))
CHAPTERS = [path for path in PAGES if path.stem != "00_walkthrough"]
SOLUTIONS = sorted((FOLDER / "solutions").glob("*.ipynb"))
TEXTS = sorted(FOLDER.glob("*.md"))
ROOTS = (ROOT, PACKAGE, FOLDER)
TAGS = {"nbval-check-output"}  # a misspelt tag would be ignored
LEAST_CHECKED = 6  # in a chapter
MOST_BYTES = 1_000_000
NEEDED = ("## Predict before you run", "## What it costs", "## Interview questions", "## Exercises", "<details>")
FIGURE = re.compile(r"page\.(?:figure|committed)\(\s*\"([\w-]+)\"")
NAMED_PATH = re.compile(r"`([\w.-]+(?:/[\w.-]+)+/?)`")  # "core/waiting.py", "tests/adversary"
A_MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:home|root|Users|work|tmp|usr|opt|var)/\w")


def read(path: Path) -> Any:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code_cells(path: Path) -> list[Any]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def sources(path: Path) -> str:
    return "\n".join(cell.source for cell in read(path).cells)


def name(path: Path) -> str:
    return str(path.relative_to(FOLDER))


def missing(text: str) -> list[str]:
    """The paths in backticks that lead nowhere, from the repository's root, from the package or from a page."""
    return [path for path in NAMED_PATH.findall(text) if not any((root / path).exists() for root in ROOTS)]


every_notebook = pytest.mark.parametrize("path", [*PAGES, *SOLUTIONS], ids=name)
every_page = pytest.mark.parametrize("path", PAGES, ids=name)


@every_notebook
def test_the_cells_were_run_in_order_from_top_to_bottom(path: Path) -> None:
    counts = [cell.execution_count for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))


@every_notebook
def test_enough_cells_are_compared_and_all_of_those_have_an_output(path: Path) -> None:
    tagged = [cell for cell in code_cells(path) if "nbval-check-output" in cell.metadata.get("tags", ())]
    assert len(tagged) >= (LEAST_CHECKED if path in CHAPTERS else 1)
    assert [cell.source for cell in tagged if not cell.outputs] == []


@every_notebook
def test_the_tags_are_those_that_nbval_knows(path: Path) -> None:
    assert {tag for cell in read(path).cells for tag in cell.metadata.get("tags", ())} <= TAGS


@every_notebook
def test_no_output_is_an_error_or_a_warning(path: Path) -> None:
    for cell in code_cells(path):
        for output in cell.outputs:
            assert output.output_type != "error", cell.source
            assert output.get("name") != "stderr", output.text


@every_notebook
def test_it_is_light_and_names_no_folder_of_a_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) < MOST_BYTES
    texts = [cell.source for cell in read(path).cells]
    for cell in code_cells(path):
        for output in cell.outputs:
            texts.append(output.get("text", ""))
            texts += [str(value) for kind, value in output.get("data", {}).items() if kind.startswith("text/")]
    assert A_MACHINE_PATH.findall("\n".join(texts)) == []
    assert "sys.path" not in "\n".join(texts)


@pytest.mark.parametrize("path", [*PAGES, *SOLUTIONS, *TEXTS], ids=name)
def test_every_path_that_it_names_is_there(path: Path) -> None:
    assert missing(path.read_text(encoding="utf-8") if path in TEXTS else sources(path)) == []


def test_a_path_that_is_not_there_is_found() -> None:
    named = "`core/waiting.py` `tests/adversary` `../figures/` `core/slow.py` `storage/` `a / b` `storage/sqlite`"
    assert missing(named) == ["core/slow.py", "storage/sqlite"]


@every_page
def test_its_pictures_are_the_committed_figures(path: Path) -> None:
    shown = [
        hashlib.sha256(base64.b64decode(output.data["image/png"])).hexdigest()
        for cell in code_cells(path)
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    names = FIGURE.findall(sources(path))
    kept = [hashlib.sha256((ROOT / "figures" / f"{each}.png").read_bytes()).hexdigest() for each in names]
    assert shown
    assert shown == kept, f"run make notebooks NOTEBOOKS=notebooks/{path.name}"
    text = (ROOT / "figures" / "README.md").read_text(encoding="utf-8")
    assert [each for each in names if f"| `{each}.png` |" not in text] == []


@pytest.mark.parametrize("path", CHAPTERS, ids=name)
def test_it_has_the_parts_of_a_chapter(path: Path) -> None:
    text = sources(path)
    assert [part for part in NEEDED if part not in text] == []
    assert (FOLDER / "solutions" / path.name).exists()


@pytest.mark.parametrize("place", range(len(CHAPTERS)), ids=lambda place: CHAPTERS[place].name)
def test_it_links_to_the_page_before_and_to_the_one_after(place: int) -> None:
    around = [CHAPTERS[other].name for other in (place - 1, place + 1) if 0 <= other < len(CHAPTERS)]
    text = sources(CHAPTERS[place])
    assert [each for each in around if f"]({each})" not in text] == []
    assert "](README.md)" in text


@every_page
def test_the_index_and_the_main_readme_name_it(path: Path) -> None:
    assert f"]({path.name})" in (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"](notebooks/{path.name})" in (ROOT / "README.md").read_text(encoding="utf-8")
