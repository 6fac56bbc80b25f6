"""The demo from its command line: to its end, and stopped early by a signal."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.watcher.extras import require

require("rich")
require("Crypto")

from lightbroker.cli.main import main  # noqa: E402

ROOT = Path(__file__).parents[2]


def test_the_demo_runs_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--speed", "inf", "--workers", "4"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"conservation law +holds", out)
    assert "Dead letters" in out


def test_a_recording_that_is_not_there_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--recording", str(tmp_path / "none.gz")]) == 2
    assert "none.gz" in capsys.readouterr().err


PROGRAM = """
import sys
from lightbroker.cli import demo
from lightbroker.cli.main import main

class Announced(demo.Signals):
    def __enter__(self):
        super().__enter__()
        print("ready", flush=True)
        return self

demo.Signals = Announced
sys.exit(main(["demo", "--speed", "100", "--workers", "4"]))  # it would run for a minute
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a signal cannot be sent to one process there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_demo_early_with_a_report(number: signal.Signals) -> None:
    command = [sys.executable, "-c", PROGRAM]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
            process.send_signal(number)
            out, _ = process.communicate(timeout=30.0)
        finally:
            process.kill()
    assert process.returncode == 0, out
    assert re.search(r"conservation law +holds", out)
