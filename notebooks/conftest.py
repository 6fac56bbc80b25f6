"""The notebooks are tested at the scale that a busy two-core machine can bear, and one after the other."""

import os
from typing import Any

import pytest

os.environ["LIGHTBROKER_SCALE"] = "quick"  # the kernels inherit it


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist there is one process anyway
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let one process of pytest-xdist run all pages, and any process each of the other files.

    Two processes that start a kernel at the same moment can choose the same ports for it. Then one of the kernels never
    answers.
    """
    from xdist.scheduler import LoadFileScheduling

    class PagesTogether(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return "notebooks" if file.startswith("notebooks/") else file

    return PagesTogether(config, log)
