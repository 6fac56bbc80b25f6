"""Every link of the pages leads somewhere: to a file that is there, to a heading of it, or out."""

import re
from pathlib import Path

import nbformat
import pytest

import lightbroker

ROOT = Path(lightbroker.__file__).parents[1]
PLACES = ("*.md", "tests/*.md", "figures/*.md", "notebooks/*.md", "notebooks/*.ipynb", "notebooks/solutions/*.ipynb")
PAGES = sorted(path for place in PLACES for path in ROOT.glob(place))
LINK = re.compile(r"\]\(([^)\s]+)\)|<img[^>]*\ssrc=\"([^\"]+)\"|<a[^>]*\shref=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)
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


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One: two\n[a](b.md) [c](#one-two) [d](#three) ![e](f.png) `[g](h)` [i](https://j.example)")
    assert broken(page) == ["b.md", "#three", "f.png"]
