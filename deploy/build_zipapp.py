"""Packs the package into one file that runs with nothing but Python: `python deploy/build_zipapp.py FILE`.

Extras cannot go in, because some of their libraries are machine code, which Python does not load from a zip file. What
needs them finds them beside the file, on PYTHONPATH.
"""

import shutil
import sys
import tempfile
import zipapp
from pathlib import Path

ROOT = Path(__file__).parent.parent

# The line that zipapp would write drops the exit code. Python 2 can read this too, and say what is wrong.
START = """\
import sys

if sys.version_info < (3, 10):
    sys.exit("lightbroker needs Python 3.10 or newer, and this is %d.%d" % sys.version_info[:2])

from lightbroker.__main__ import main

sys.exit(main())
"""


def build(target: Path) -> None:
    """Write the file; folders above it are made. Raises OSError if it cannot be written."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "lightbroker", Path(folder, "lightbroker"), ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "LICENSE", folder)
        Path(folder, "__main__.py").write_text(START, encoding="ascii")
        zipapp.create_archive(folder, target, interpreter="/usr/bin/env python3", compressed=True)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
