"""Temporary folders, and servers that run on a free port of the loopback interface while a context lasts."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

HOST = "127.0.0.1"
REDIS = "redis-server"
_ATTEMPTS = 3  # another program may take the port before the server does
_PATIENCE = 10.0  # seconds that a server has to stop before it is killed


@contextmanager
def folder() -> Iterator[Path]:
    """Return a context with a temporary folder. A server that still writes into it while it stops does no harm."""
    with tempfile.TemporaryDirectory(prefix="lightbroker-", ignore_cleanup_errors=True) as path:
        yield Path(path)


def free_port() -> int:
    """Return a TCP port on which no program listens at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(command: Callable[[int, Path], Sequence[str]], patience: float = 10.0) -> Iterator[int]:
    """Return a context in which a server runs on a free port.

    Args:
        command: Makes the command line from the port and a temporary folder for the server's files.
        patience: Seconds that the server has to accept a connection.

    Returns:
        A context manager that gives the port.

    Raises:
        RuntimeError: The server accepted no connection in time; the text has the end of its output.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        port = free_port()
        with folder() as home, (home / "log").open("w+") as log:
            process = subprocess.Popen(command(port, home), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=home)
            try:
                if _accepts(port, process, patience):
                    yield port
                    return
            finally:
                _stop(process)
            log.seek(0)
            words = log.read()[-2000:]
            if attempt == _ATTEMPTS or "in use" not in words.lower():
                raise RuntimeError(f"{process.args!r} accepted no connection within {patience:g} s: {words}")


@contextmanager
def redis_server() -> Iterator[str]:
    """Return a context with a Redis server that writes nothing to the disk; it gives the URL."""
    settings = ("--bind", HOST, "--save", "", "--appendonly", "no", "--daemonize", "no")
    with serving(lambda port, home: (REDIS, "--port", str(port), "--dir", str(home), *settings)) as port:
        yield f"redis://{HOST}:{port}/0"


def _accepts(port: int, process: "subprocess.Popen[bytes]", patience: float) -> bool:
    until = time.monotonic() + patience
    while process.poll() is None and time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return True
        time.sleep(0.01)
    return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
