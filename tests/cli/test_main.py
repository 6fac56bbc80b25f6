"""The command line as a whole: help, versions, what is missing, and exit codes."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import lightbroker
from lightbroker import Broker
from lightbroker.cli.main import main

ROOT = Path(lightbroker.__file__).parents[1]
COMMANDS = ["demo", "watch", "stats", "dlq", *(f"dlq {action}" for action in ("list", "show", "redrive", "purge"))]


def bare(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run the command with nothing but Python: -S leaves out every installed package."""
    command = (sys.executable, "-S", "-m", "lightbroker", *words)
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_examples_that_parse(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit) as left:
        main([*command.split(), "--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert "exit codes: 0" in text
    examples = re.findall(r"^  lightbroker (.*)$", text, re.MULTILINE)
    assert examples
    for example in examples:
        words = shlex.split(example)
        assert words[: len(command.split())] == command.split()
        with pytest.raises(SystemExit) as parsed:
            main([*words, "--help"])
        assert parsed.value.code == 0


@pytest.mark.parametrize("words", [["--version"], ["--help"], *([*command.split(), "--help"] for command in COMMANDS)])
def test_help_and_version_need_nothing_but_python(words: list[str]) -> None:
    run = bare(*words)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout


def test_looking_after_queues_needs_nothing_but_python(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with Broker(url) as broker:
        broker.push("q", "a")
        broker.pull("q").reject("bad")
    assert " ".join(bare("stats", "--store", url).stdout.split()[-12:]) == "q 0 0 0 1 1 0 0 0 0 0 10000"
    assert "rejected" in bare("dlq", "list", "--store", url, "q").stdout
    assert bare("dlq", "redrive", "--store", url, "q").stdout == "1 redriven, 0 left\n"


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["demo"], "demo"),
        (["watch", "ws://127.0.0.1:1"], "live"),
        (["bench", "--quick"], "lab"),
        (["stats", "--store", "redis://127.0.0.1:1"], "redis"),
    ],
)
def test_what_is_missing_is_one_line_that_says_how_to_get_it(words: list[str], extra: str) -> None:
    run = bare(*words)
    assert run.returncode == 2
    assert run.stdout == ""
    [line] = run.stderr.splitlines()
    assert f"pip install 'lightbroker[{extra}]'" in line


@pytest.mark.parametrize("words", [[], ["nothing"], ["stats"], ["dlq"], ["dlq", "list", "q"], ["watch"]])
def test_a_command_line_that_makes_no_sense_ends_with_2_and_the_usage(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert "usage: lightbroker" in capsys.readouterr().err


def test_a_reader_that_has_gone_away_is_no_traceback(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with Broker(url) as broker:
        broker.push("q", b"")
    command = f"{shlex.quote(sys.executable)} -m lightbroker stats --store {shlex.quote(url)} | true"
    run = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert run.stderr == ""
