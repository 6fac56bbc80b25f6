"""The numbers of the README are those of the committed results."""

from pathlib import Path

import pytest

import lightbroker
from lightbroker.lab.bench.readme import BLOCKS, NAMES, renewed

ROOT = Path(lightbroker.__file__).parents[1]
DATA = ROOT / "figures" / "data"


@pytest.mark.parametrize("name", NAMES)
def test_a_readme_says_what_the_files_say(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "<!-- measured: headline -->" in text
    assert renewed(text, DATA) == text, "run python -m lightbroker.lab.bench.readme"


def test_the_readme_has_every_table() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in BLOCKS if f"<!-- measured: {name} -->\n| " not in text] == []


def test_a_number_that_was_changed_by_hand_is_put_right() -> None:
    text = "before\n<!-- measured: headline -->\n| promised | 1,000,000/s |\n<!-- end -->\nafter\n"
    again = renewed(text, DATA)
    assert "1,000,000" not in again
    assert again.startswith("before\n<!-- measured: headline -->\n| promised | measured |\n")
    assert again.endswith("<!-- end -->\nafter\n")


def test_a_table_that_nobody_makes_is_named() -> None:
    with pytest.raises(ValueError, match="no table is called 'speed'; there are headline, bench"):
        renewed("<!-- measured: speed -->\n<!-- end -->", DATA)
