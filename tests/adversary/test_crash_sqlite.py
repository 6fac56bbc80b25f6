"""A kill at any moment loses nothing that was acknowledged and brings back nothing that was acked."""

from tests.adversary.crash_sqlite import Account, run


def test_what_was_acknowledged_survives_kills() -> None:
    report = run(kills=25)
    assert (report["lost"], report["returned"], report["broken"]) == (0, 0, 0), report
    assert report["pushed"] > 100
    assert report["acked"] > 100
    assert report["recovered"] > 0


def _account() -> Account:
    account = Account()
    account.read("pushed 0.0 a b c\npulled 1.0 a b\nacking 0.0 a b\nacked 2.0 a\npushed 0.0 cut of")
    return account


def test_an_acknowledged_push_that_is_nowhere_is_lost() -> None:
    assert _account().judge([])["lost"] == 1
    assert _account().judge([("c", 3.0)])["lost"] == 0


def test_a_message_that_is_delivered_after_its_ack_has_returned() -> None:
    assert _account().judge([("b", 3.0), ("c", 3.0)])["returned"] == 0
    assert _account().judge([("a", 3.0), ("c", 3.0)])["returned"] == 1
