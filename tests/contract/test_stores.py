"""The registry of the stores under test: a store that is missing is never passed over in silence."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.contract.stores import StoreUnderTest, Unavailable, fresh_url


@contextmanager
def _missing(folder: Path) -> Iterator[str]:
    raise Unavailable("start the server first")
    yield ""


def test_a_missing_server_skips_with_its_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CI", raising=False)
    with (
        pytest.raises(pytest.skip.Exception, match="start the server first"),
        fresh_url(StoreUnderTest(_missing), tmp_path),
    ):
        pass


def test_a_missing_server_fails_in_ci(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CI", "true")
    with (
        pytest.raises(pytest.fail.Exception, match="start the server first"),
        fresh_url(StoreUnderTest(_missing), tmp_path),
    ):
        pass
