"""A kill at any moment loses nothing that was acknowledged and brings back nothing that was acked."""

from tests.adversary.crashes.crash_sqlite import run


def test_what_was_acknowledged_survives_kills() -> None:
    report = run(kills=25)
    assert (report["lost"], report["returned"], report["broken"]) == (0, 0, 0), report
    assert report["pushed"] > 100
    assert report["acked"] > 100
    assert report["recovered"] > 0
