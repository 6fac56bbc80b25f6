"""What the numbers were measured on; without it they cannot be compared with anybody else's."""

import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path

_LIBRARIES = ("lightbroker", "numpy", "scipy", "matplotlib", "rich")


def describe() -> dict[str, object]:
    """CPU, cores, kernel, Python build, GIL, switch interval (seconds), library versions, commit, load and date.

    It names neither host, user nor folder. What the platform does not tell is None.
    """
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
        "libraries": {name: _version(name) for name in _LIBRARIES},
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


def _commit() -> str | None:
    here = Path(__file__).parent
    try:
        head = _git("rev-parse", "HEAD", cwd=here)
        return head + ("+changes" if _git("status", "--porcelain", "--untracked-files=no", cwd=here) else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str, cwd: Path) -> str:
    return subprocess.run(("git", *arguments), cwd=cwd, capture_output=True, text=True, check=True).stdout.strip()
