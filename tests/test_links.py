"""Every link of the pages leads somewhere: to a file that is there, to a heading of it, or out.

The pages for those who work on the code name many files in backticks; each of these is there as well.
"""

import re
from pathlib import Path

import nbformat
import pytest

import lightbroker

ROOT = Path(lightbroker.__file__).parents[1]
PLACES = (
    *("*.md", "docs/**/*.md", "tests/**/*.md", "figures/*.md", "notebooks/*.md"),
    *("notebooks/*.ipynb", "notebooks/solutions/*.ipynb"),
)
PAGES = sorted(path for place in PLACES for path in ROOT.glob(place))
ABOUT_THE_CODE = [ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)|<img[^>]*\ssrc=\"([^\"]+)\"|<a[^>]*\shref=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)
NAMED_FILE = re.compile(r"`([\w.-]+(?:/[\w.*-]+)+/?)`")  # "core/store.py", "lua/*.lua", "docs/decisions/"
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def text_of(path: Path) -> str:
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def anchors(path: Path) -> set[str]:
    """The names by which GitHub knows the headings of a page."""
    titles = HEADING.findall(re.sub(r"^```.*?^```", "", text_of(path), flags=re.MULTILINE | re.DOTALL))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken(path: Path) -> list[str]:
    found = []
    for groups in LINK.findall(CODE.sub("", text_of(path))):
        link = next(filter(None, groups))
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists() or (anchor and target.is_file() and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    assert broken(path) == []


def missing(path: Path) -> list[str]:
    """The files in backticks that are not there, seen from the root of the repository."""
    return [name for name in NAMED_FILE.findall(text_of(path)) if not any(ROOT.glob(name))]


@pytest.mark.parametrize("path", ABOUT_THE_CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_page_about_the_code_names_is_there(path: Path) -> None:
    assert missing(path) == []


def test_the_index_names_every_decision() -> None:
    index = text_of(ROOT / "docs" / "README.md")
    records = sorted(path.name for path in ROOT.glob("docs/decisions/*.md"))
    assert records
    assert [name for name in records if f"](decisions/{name})" not in index] == []


def test_a_file_that_is_not_there_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "`lightbroker/core/store.py` `docs/decisions/` `no/such.py` `no-such/` `tests/*/stores.py` `a / b` `n/a`"
    )
    assert missing(page) == ["no/such.py", "n/a"]


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One: two\n[a](b.md) [c](#one-two) [d](#three) ![e](f.png) `[g](h)` [i](https://j.example)")
    assert broken(page) == ["b.md", "#three", "f.png"]
