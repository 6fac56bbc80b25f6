"""The README shows what its example prints, and names files that exist."""

import re
import subprocess
import sys
from pathlib import Path

import lightbroker

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_prints_what_the_readme_shows() -> None:
    example, output = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", README, re.DOTALL).groups()  # type: ignore[union-attr]
    run = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert run.stderr == ""
    assert run.stdout == output


def test_the_example_for_coroutines_runs() -> None:
    section = README[README.index("## Coroutines") :]
    example = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert example is not None
    run = subprocess.run([sys.executable, "-c", example[1]], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert (run.stdout, run.stderr) == ("{'number': 1}\n", "")


def test_the_wheel_of_the_readme_is_the_one_that_make_dist_makes() -> None:
    named = re.findall(r"dist/lightbroker-(.+?)-py3-none-any\.whl", README)
    assert set(named) == {lightbroker.__version__}


def test_the_changelog_begins_with_this_version() -> None:
    (newest,) = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)[:1]
    assert newest == ("[Unreleased]" if "dev" in lightbroker.__version__ else lightbroker.__version__)
