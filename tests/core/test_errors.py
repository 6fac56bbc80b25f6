"""The exceptions, and the checks that name what makes no sense."""

import queue

import pytest

import lightbroker
from lightbroker import BrokerError, InvariantError, LeaseLost, QueueClosed, QueueEmpty, QueueFull, StoreError
from lightbroker.core.errors import check_count, check_name, check_number, without_password


@pytest.mark.parametrize("error", [QueueFull, QueueEmpty, QueueClosed, LeaseLost, StoreError, InvariantError])
def test_every_error_is_a_broker_error(error: type[Exception]) -> None:
    assert issubclass(error, BrokerError)


def test_full_and_empty_are_those_of_the_standard_library_too() -> None:
    assert issubclass(QueueFull, queue.Full)
    assert issubclass(QueueEmpty, queue.Empty)


@pytest.mark.parametrize("error", [QueueFull, QueueClosed])
def test_an_error_that_cut_no_batch_short_has_accepted_nothing(error: type[QueueFull]) -> None:
    assert error("full").accepted == ()
    assert str(error("full")) == "full"


def test_every_public_name_is_there() -> None:
    promised = """Broker Queue Message Delivery DeadLetter Subscription WorkerPool Overflow Retry SystemClock
        ManualClock BrokerError QueueFull QueueEmpty QueueClosed LeaseLost StoreError InvariantError"""
    assert set(promised.split()) <= set(lightbroker.__all__)
    assert all(hasattr(lightbroker, name) for name in lightbroker.__all__)


@pytest.mark.parametrize("value", [0, 0.0, 1, 2.5, 1e300, 10**300])
def test_a_number_comes_back_as_a_float(value: float) -> None:
    assert check_number("n", value) == float(value)
    assert type(check_number("n", value)) is float


@pytest.mark.parametrize("value", [-1, -1e-300, float("nan"), float("inf"), float("-inf"), 10**400, -(10**400)])
def test_a_number_that_makes_no_sense_is_named(value: float) -> None:
    with pytest.raises(ValueError, match="seconds") as caught:
        check_number("seconds", value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("value", ["1", None, True, False, 1j, [], b"1"])
def test_what_is_no_number_is_named(value: object) -> None:
    with pytest.raises(TypeError, match="seconds") as caught:
        check_number("seconds", value)
    assert repr(value) in str(caught.value)


def test_a_bound_can_be_left_out() -> None:
    assert check_number("n", 2.0, 2.0) == 2.0
    with pytest.raises(ValueError, match="above 2"):
        check_number("n", 2.0, 2.0, above=True)


@pytest.mark.parametrize("value", [1, 2**100])
def test_a_count_comes_back(value: int) -> None:
    assert check_count("n", value) == value


@pytest.mark.parametrize(
    ("value", "error"),
    [(0, ValueError), (-1, ValueError), (1.0, TypeError), ("1", TypeError), (True, TypeError), (None, TypeError)],
)
def test_a_count_that_makes_no_sense_is_named(value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="limit") as caught:
        check_count("limit", value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("value", ["q", "x" * 255, "очередь", "a.b-c/d", "😀"])
def test_a_name_comes_back(value: str) -> None:
    assert check_name("name", value) == value


@pytest.mark.parametrize(
    ("value", "error"),
    [
        *[(text, ValueError) for text in ("", " ", "a b", "a\n", "\x00", "\u200b", "\ud800", "x" * 256, "x" * 10**6)],
        *[(other, TypeError) for other in (None, 1, b"q", ["q"])],
    ],
    ids=lambda value: repr(value)[:12],
)
def test_a_name_that_makes_no_sense_is_named(value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="queue") as caught:
        check_name("queue", value)
    assert repr(value)[:100] in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://me:secret@host:6379/0", "redis://host:6379/0"),
        ("redis://:/s@e?c#r\net@host", "redis://host"),
        ("redis:secret@host", "redis:host"),
        ("me:secret@host", "me:host"),
        (":secret@host", "host"),
        ("sqlite:///path.db", "sqlite:///path.db"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown
