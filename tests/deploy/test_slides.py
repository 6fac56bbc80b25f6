"""The deck: one file that asks the network for nothing, with every slide and the speaker's notes."""

import re
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "deploy"))
try:
    import build_slides
finally:
    sys.path.pop(0)


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> str:
    reveal = tmp_path_factory.mktemp("reveal")
    for name, text in {
        "dist/reveal.js": "var Reveal;",
        "plugin/notes/notes.js": "var RevealNotes;",
        "dist/reveal.css": ".reveal { margin: 0 }",
        "dist/theme/white.css": "@import url(./fonts/source-sans-pro.css);\nbody { color: #222 }",
    }.items():
        (reveal / name).parent.mkdir(parents=True, exist_ok=True)
        (reveal / name).write_text(text)
    build_slides.build(reveal, reveal / "made" / "deck.html")
    return (reveal / "made" / "deck.html").read_text(encoding="utf-8")


def test_nothing_is_loaded_from_anywhere(deck: str) -> None:
    assert re.findall(r'<(?:script|img|link|iframe)[^>]* (?:src|href)="(?!data:)', deck) == []
    assert "@import" not in deck
    assert "require(" not in deck
    assert deck.count("Reveal.initialize({width") == 1


def test_every_cell_of_the_walkthrough_is_there_and_its_pictures_too(deck: str) -> None:
    cells = nbformat.read(build_slides.NOTEBOOK, as_version=4).cells
    for cell in cells:
        kind = cell.metadata.slideshow.slide_type
        assert kind in ("slide", "-", "notes", "skip")
        assert (f"cell-id={cell.id}" in deck) == (kind != "skip"), cell.source
    assert deck.count('<aside class="notes">') == sum(cell.metadata.slideshow.slide_type == "notes" for cell in cells)
    figures = sum("page.committed(" in cell.source for cell in cells)
    assert len(re.findall(r'<img[^>]* src="data:image/png;base64,', deck)) == figures + 1  # the architecture


def test_its_links_lead_to_the_notebooks(deck: str) -> None:
    links = {link for link in re.findall(r'<a [^>]*href="([^"#:]+)"', deck) if link.endswith(".ipynb")}
    assert links
    assert all((ROOT / "dist" / link).resolve().exists() for link in links)
