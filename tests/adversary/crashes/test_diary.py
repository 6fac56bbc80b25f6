"""What diaries prove: each loss and each return is seen, and excused only for what may have been forgotten."""

from tests.adversary.crashes.diary import Account


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


def test_a_message_that_was_acked_again_has_returned() -> None:
    account = _account()
    account.read("pulled 3.0 a\nacking 0.0 a\nacked 4.0 a\n")
    assert account.judge([("c", 5.0)])["returned"] == 1


def test_what_may_have_been_forgotten_is_excused() -> None:
    report = _account().judge([("a", 3.0)], excused=lambda moment: moment < 1.0)
    assert (report["lost"], report["returned"], report["excused"]) == (0, 1, 1)
    report = _account().judge([("a", 3.0)], excused=lambda moment: moment > 1.0)
    assert (report["lost"], report["returned"], report["excused"]) == (1, 0, 1)
