"""The audit of a run finds a system that loses, duplicates or invents messages."""

from lightbroker.lab.measure.audit import BODY_BYTES, Audit, audit, make_bodies


def test_bodies_have_100_bytes_and_differ() -> None:
    bodies = make_bodies(1_000)
    assert {len(body) for body in bodies} == {BODY_BYTES} == {100}
    assert len(set(bodies)) == 1_000


def test_everything_once_is_clean_in_any_order() -> None:
    found = audit(100, reversed(make_bodies(100)), acked=100)
    assert found == Audit(sent=100, received=100, acked=100, lost=0, duplicated=0, unknown=0)
    assert found.clean


def test_loss_duplicates_and_strangers_are_counted_apart() -> None:
    bodies = make_bodies(10)
    received = [*bodies[:8], bodies[0], bodies[0], b"stranger", bytes(99), make_bodies(11)[10]]
    found = audit(10, received, acked=None)
    assert (found.received, found.lost, found.duplicated, found.unknown) == (13, 2, 2, 3)
    assert not found.clean


def test_a_loss_does_not_hide_behind_a_duplicate() -> None:
    bodies = make_bodies(10)
    found = audit(10, [*bodies[:9], bodies[0]], acked=10)
    assert found.received == found.sent
    assert (found.lost, found.duplicated, found.clean) == (1, 1, False)


def test_nothing_received_is_all_lost() -> None:
    assert audit(5, [], acked=None).lost == 5


def test_an_ack_too_few_is_not_clean() -> None:
    assert not audit(5, make_bodies(5), acked=4).clean


def test_audits_add_up() -> None:
    one = audit(5, make_bodies(5), acked=5)
    assert one + one == Audit(10, 10, 10, 0, 0, 0)
    assert (one + audit(5, make_bodies(4), acked=None)).acked is None
