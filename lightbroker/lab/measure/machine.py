"""The machine and the software that numbers were measured on; without them no numbers can be compared."""

import datetime
import importlib.metadata
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from lightbroker import __version__
from lightbroker.lab.peers.base import Peer

_LIBRARIES = ("numpy", "scipy", "matplotlib", "rich")
# The option that makes each server print its version. RabbitMQ is not asked: its tools leave a port mapper running.
_VERSION_OPTION = {"redis-server": "--version", "nats-server": "--version", "beanstalkd": "-v"}


def describe(systems: Iterable[type[Peer]] = ()) -> dict[str, object]:
    """Describe this machine, its Python and the package, by name, as JSON can hold it.

    The description names neither host, user nor folder.

    Args:
        systems: The peers that are measured; the versions of their libraries and servers are included.

    Returns:
        CPU, cores, kernel, Python, switch interval (seconds), versions, the type of the file system that holds
        temporary files, the commit of the package, load average and date (UTC). What the platform does not tell is
        None.
    """
    kinds = list(systems)
    libraries = dict.fromkeys((*_LIBRARIES, *(kind.library for kind in kinds if kind.library)))
    gil = getattr(sys, "_is_gil_enabled", lambda: True)
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "cores_usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "python_build": f"{platform.python_implementation()}, {platform.python_compiler()}",
        "gil": bool(gil()),
        "switch_interval_s": sys.getswitchinterval(),
        # The metadata of an editable installation may be older than the code, so its version is not looked up there.
        "libraries": {"lightbroker": __version__, **{name: _version(name) for name in libraries}},
        "servers": {
            name: _server_version(name) for name in dict.fromkeys(kind.server for kind in kinds if kind.server)
        },
        "sqlite": sqlite3.sqlite_version,
        "file_system": _file_system(),
        "commit": _commit(),
        "load_average": [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else None,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }


def _cpu() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)


def _version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def _server_version(program: str) -> str | None:
    if program not in _VERSION_OPTION:
        return None
    try:
        text = subprocess.run((program, _VERSION_OPTION[program]), capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    return next(iter(text.splitlines()), None)


def _file_system() -> str | None:
    """Return the type of the file system that holds temporary files: that of the deepest mount above them."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return None
    here = Path(tempfile.gettempdir()).resolve()
    above = [(len(path), kind) for path, kind in mounts if here.is_relative_to(path)]
    return max(above)[1] if above else None


def _commit() -> str | None:
    """Return the commit of the package, with "+changes" if its files differ from it; None outside a repository."""
    here = Path(__file__).parent
    try:
        head = _git("rev-parse", "HEAD", cwd=here)
        return head + ("+changes" if _git("status", "--porcelain", "--untracked-files=no", cwd=here) else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str, cwd: Path) -> str:
    return subprocess.run(("git", *arguments), cwd=cwd, capture_output=True, text=True, check=True).stdout.strip()
