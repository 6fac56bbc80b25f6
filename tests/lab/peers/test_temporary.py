"""A temporary server runs while its context lasts, and no longer."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lightbroker.lab.peers.temporary import HOST, free_port, serving
from lightbroker.lab.scenarios import experiment
from tests.support import wait_until

LISTEN = "import socket, sys, time; server = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(60)"


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def test_a_server_runs_on_the_port_and_in_the_folder_that_it_was_given_until_the_context_ends() -> None:
    folders: list[Path] = []

    def command(port: int, home: Path) -> tuple[str, ...]:
        folders.append(home)
        return sys.executable, "-c", LISTEN, str(port)

    with serving(command) as port:
        assert listens(port)
        assert folders[0].is_dir()
    assert not listens(port)
    assert not folders[0].exists()


def test_a_server_is_stopped_when_its_user_fails() -> None:
    with pytest.raises(KeyError), serving(lambda port, _: (sys.executable, "-c", LISTEN, str(port))) as port:
        raise KeyError
    assert not listens(port)


def test_a_server_that_ends_at_once_is_an_error_with_its_last_words() -> None:
    command = (sys.executable, "-c", "import sys; sys.exit('no such setting')")
    with pytest.raises(RuntimeError, match="no such setting"), serving(lambda port, _: command):
        pass


def test_a_server_that_never_listens_is_an_error() -> None:
    command = (sys.executable, "-c", "import time; time.sleep(60)")
    with pytest.raises(RuntimeError, match=r"within 0\.2 s"), serving(lambda port, _: command, patience=0.2):
        pass


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="process groups are a thing of Unix")
def test_a_run_that_is_killed_takes_its_server_with_it() -> None:
    port = str(free_port())
    start = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', *sys.argv[1:]]); time.sleep(60)"
    run = subprocess.Popen((sys.executable, "-c", start, LISTEN, port), start_new_session=True)
    try:
        wait_until(lambda: listens(int(port)))
    finally:
        experiment._kill(run)
    wait_until(lambda: not listens(int(port)))
