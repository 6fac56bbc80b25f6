"""Optional libraries in tests: absent on a developer's machine is a skip, absent in CI a failure."""

import importlib
import os

import pytest


def require(module: str) -> None:
    """Import `module`; without it skip the tests of the calling module, or fail them if CI is set."""
    if os.environ.get("CI"):
        importlib.import_module(module)
    else:
        pytest.importorskip(module)
