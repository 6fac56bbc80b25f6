"""The README shows what its example prints, and names files that exist."""

import re
import subprocess
import sys
from pathlib import Path

import lightbroker

ROOT = Path(__file__).parent.parent
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
    (released,) = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)[:1]
    assert released == lightbroker.__version__


def test_every_module_is_in_the_file_map() -> None:
    table = README[README.index("## Where is what") : README.index("## How fast")]
    for path in (ROOT / "lightbroker").rglob("*.py"):
        inside = path.relative_to(ROOT / "lightbroker")
        folders = ("aio", "cli", "lab", "watcher")
        named = f"{inside.parts[0]}/" in table if inside.parts[0] in folders else inside.name in table
        named = named or inside.name.startswith(("sqlite", "redis")) or inside.name == "__init__.py"
        assert named, f"{inside} is not in the map"
