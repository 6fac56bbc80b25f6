"""Pack the package into one file that needs nothing but Python: `python deploy/build_zipapp.py FILE`.

The libraries of the extras are left out. Some of them are machine code, which Python cannot load from a zip file. A
command that needs one finds it if it is installed or on PYTHONPATH.
"""

import shutil
import sys
import tempfile
import zipapp
from pathlib import Path

ROOT = Path(__file__).parent.parent

# A file of its own, because the one that zipapp would write drops the exit code. It is valid Python 2 as well, so that
# an old Python prints which version is needed instead of a syntax error.
START = """\
import sys

if sys.version_info < (3, 10):
    sys.exit("lightbroker needs Python 3.10 or newer, and this is %d.%d" % sys.version_info[:2])

from lightbroker.__main__ import main

sys.exit(main())
"""


def build(target: Path) -> None:
    """Write the file, and make the folders above it.

    Raises:
        OSError: The file cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "lightbroker", Path(folder, "lightbroker"), ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "LICENSE", folder)
        Path(folder, "__main__.py").write_text(START, encoding="ascii")
        zipapp.create_archive(folder, target, interpreter="/usr/bin/env python3", compressed=True)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
