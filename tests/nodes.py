"""A real node for tests: anvil, from the PATH or from `npm install --prefix build/anvil @foundry-rs/anvil`."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import Unavailable, miss

ROOT = Path(__file__).parents[1]


@contextmanager
def running_anvil() -> Iterator[str]:
    """A chain of its own, which mines when it is told to; yields its WebSocket address.

    Without the program, or the library to talk to it, the test is skipped; it fails where CI is set.
    """
    found = sorted(ROOT.glob("build/anvil/node_modules/@foundry-rs/anvil-*/bin/anvil*"))
    binary = shutil.which("anvil") or next(map(str, found), None)
    if binary is None:
        miss(Unavailable("anvil is not installed: npm install --prefix build/anvil @foundry-rs/anvil@1.7.1"))
    try:
        from lightbroker.watcher.scenario import anvil
    except ImportError as error:
        miss(Unavailable(str(error)))
    with anvil(binary) as url:
        yield url
