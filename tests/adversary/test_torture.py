"""The table in the README is the one of the results that are kept."""

import json
from pathlib import Path

from tests.adversary import torture

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_readme_shows_what_the_long_form_has_kept() -> None:
    kept = json.loads(torture.RESULTS.read_text(encoding="utf-8"))
    assert torture.table(kept) in README
