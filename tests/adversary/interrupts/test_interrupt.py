"""Ctrl-C and exceptions from outside lose nothing; and the tests would see it if they did."""

from lightbroker import Overflow
from tests.adversary.interrupts import interrupt, interrupt_workers


def test_ctrl_c_at_any_moment_loses_no_message_and_no_permit() -> None:
    report = interrupt.run(600)
    assert report["signals"] == 600
    assert report["accepted"] > 600
    assert {key: report[key] for key in interrupt.FAULTS} == dict.fromkeys(interrupt.FAULTS, 0)


def test_ctrl_c_is_seen_to_break_a_queue_whose_steps_can_be_cut_in_two() -> None:
    reports = (interrupt.run(600, store="two_step", policies=(Overflow.BLOCK,)) for _ in range(5))
    assert any(report[key] for report in reports for key in interrupt.FAULTS)


def test_a_worker_pool_survives_exceptions_thrown_into_its_threads() -> None:
    report = interrupt_workers.run(200)
    assert report["died"] > 0
    assert report["retried"] > 0
    assert {key: report[key] for key in interrupt_workers.FAULTS} == dict.fromkeys(interrupt_workers.FAULTS, 0)
