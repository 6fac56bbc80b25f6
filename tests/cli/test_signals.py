"""A first signal is a wish, a second one an order."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from lightbroker.cli.signals import Signals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a signal cannot be sent to one process there")

PROGRAM = """
import sys
import time
from lightbroker.cli.signals import Signals
with Signals() as signals:
    print("waiting", flush=True)
    signals.wait()
    print("asked", flush=True)
    while sys.argv[1:]:
        time.sleep(0.01)  # not for long: a signal that comes just before a call is noticed after it
print("done", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_first_signal_is_noted_and_ends_the_wait(number: int) -> None:
    with Signals() as signals:
        assert not signals.wait(0.0)
        threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
        assert signals.wait(30.0)
        assert signals.requested
        assert signals.wait(0.0)


def test_what_signals_do_is_as_before_when_it_is_over() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Signals():
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] != before
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_another_thread_may_wish_to_stop() -> None:
    with Signals() as signals:
        threading.Timer(0.05, signals.stop).start()
        assert signals.wait(30.0)


def test_without_a_wish_the_wait_ends_in_time() -> None:
    signals = Signals()
    began = time.monotonic()
    assert not signals.wait(0.05)
    assert time.monotonic() - began >= 0.05


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [(signal.SIGINT, signal.SIGINT, 130), (signal.SIGTERM, signal.SIGTERM, 143), (signal.SIGTERM, signal.SIGINT, 130)],
)
def test_a_second_signal_ends_the_process_at_once(first: int, second: int, code: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, "busy"], stdout=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "waiting\n"
            process.send_signal(first)
            assert process.stdout.readline() == "asked\n"
            process.send_signal(second)
            assert process.wait(30.0) == code
            assert process.stdout.read() == ""
        finally:
            process.kill()
