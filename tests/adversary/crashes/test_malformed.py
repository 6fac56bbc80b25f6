"""Malformed requests, in short, and that the test would notice a server that breaks on one."""

import pytest

from lightbroker.server import listener
from lightbroker.server.http import Request, parse
from tests.adversary.crashes import malformed


def test_malformed_requests_break_nothing_and_leave_nothing_behind() -> None:
    report = malformed.run(400)
    assert not any(report[fault] for fault in malformed.FAULTS), report
    assert {"none", "200", "400"} <= report["answers"].keys()


def test_a_server_that_breaks_on_one_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(head: bytes) -> Request:
        head.decode("ascii")
        return parse(head)

    monkeypatch.setattr(listener, "parse", careless)
    assert malformed.run(60)["errors"]
