"""A server of the peer's own: on a free port of the loopback interface, in a temporary folder, stopped in the end."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

HOST = "127.0.0.1"
REDIS = "redis-server"
_ATTEMPTS = 3  # another program may take the port between finding and using it
_PATIENCE = 10.0  # seconds that a server has to stop


@contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder; what a server that is still dying writes into it must not fail the run."""
    with tempfile.TemporaryDirectory(prefix="lightbroker-", ignore_cleanup_errors=True) as path:
        yield Path(path)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(command: Callable[[int, Path], Sequence[str]], patience: float = 10.0) -> Iterator[int]:
    """Run what `command` returns for a port and a folder until the context ends; gives the port.

    patience: seconds that it has to accept a connection. Raises RuntimeError with its last words if it does not.
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
    """A Redis server that writes nothing to the disk; gives its URL."""
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
