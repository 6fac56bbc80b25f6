"""The systemd unit as systemd reads it: no word in it is unknown, and little is left to whoever breaks in."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import program

UNIT = Path(__file__).parent.parent.parent / "deploy" / "lightbroker.service"
PROGRAM = "/opt/lightbroker/bin/lightbroker"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd is for Linux")


def analyze(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = (program("systemd-analyze", "systemd"), *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def faults(text: str, folder: Path) -> list[str]:
    """What systemd says about a unit whose program is there; not what it says of other units of this machine."""
    unit = folder / UNIT.name
    unit.write_text(text.replace(PROGRAM, sys.executable), encoding="utf-8")
    return [line for line in analyze("verify", "--man=no", str(unit)).stderr.splitlines() if UNIT.name in line]


def test_systemd_understands_every_word(tmp_path: Path) -> None:
    text = UNIT.read_text(encoding="utf-8")
    assert f"ExecStart={PROGRAM} watch" in text
    assert faults(text, tmp_path) == []
    (fault,) = faults(text.replace("NoNewPrivileges", "NoNewPrivilege"), tmp_path)
    assert "Unknown key" in fault


def test_systemd_finds_little_that_it_may_do() -> None:
    version = re.search(r"\d+", analyze("--version").stdout)
    if version is None or int(version[0]) < 250:
        pytest.skip("systemd before 250 judges only units that it runs")
    judged = analyze("security", "--no-pager", "--offline=true", "--threshold=20", str(UNIT))  # of 100
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_the_command_has_the_options_that_the_unit_gives_it() -> None:
    (line,) = re.findall(rf"^ExecStart={PROGRAM} (.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    command, *words = line.split()
    explained = subprocess.run((sys.executable, "-m", "lightbroker", command, "--help"), capture_output=True, text=True)
    options = {word for word in words if word.startswith("--")}
    assert options
    assert options <= set(re.findall(r"--[a-z]+", explained.stdout)), explained.stderr
