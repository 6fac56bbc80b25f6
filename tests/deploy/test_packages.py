"""What users install: the zip file that runs, the wheel and the sdist hold all of the package and work on their own."""

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import lightbroker

ROOT = Path(__file__).parents[2]
SMOKE = Path(__file__).parent / "smoke.py"
PATIENCE = 100.0  # seconds


def run(*command: object, cwd: Path, code: int = 0) -> str:
    """Run a program that knows nothing of this checkout; return what it said. It must end with `code`."""
    words = [str(word) for word in command]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert ran.returncode == code, f"{words} ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}"
    return ran.stdout + ran.stderr


def package(root: Path = ROOT) -> set[str]:
    """The files of the package: what every archive has to hold."""
    files = (path for path in (root / "lightbroker").rglob("*") if path.is_file() and path.parent.name != "__pycache__")
    return {path.relative_to(root).as_posix() for path in files}


@pytest.fixture(scope="module")
def zipapp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("zipapp") / "dist" / "lightbroker.pyz"
    run(sys.executable, ROOT / "deploy" / "build_zipapp.py", target, cwd=target.parent.parent)
    return target


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an sdist and the wheel built from it, made without the network from a copy of what they need."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "lightbroker", source / "lightbroker", ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", target, source, cwd=source)
    return target


def test_the_zipapp_holds_the_package_and_its_licence_and_nothing_else(zipapp: Path) -> None:
    with zipfile.ZipFile(zipapp) as archive:
        held = {name for name in archive.namelist() if not name.endswith("/")}
    assert held == package() | {"__main__.py", "LICENSE"}


def test_the_zipapp_runs_with_nothing_but_python(zipapp: Path, tmp_path: Path) -> None:
    alone = (sys.executable, "-I", "-S")
    assert run(*alone, zipapp, "--version", cwd=tmp_path) == f"{lightbroker.__version__}\n"
    assert str(zipapp) in run(*alone, SMOKE, zipapp, cwd=tmp_path)
    assert "usage: lightbroker" in run(*alone, zipapp, "--surely-not", cwd=tmp_path, code=2)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not read the first line of a file")
def test_the_zipapp_is_a_program(zipapp: Path, tmp_path: Path) -> None:
    assert run(zipapp, "--version", cwd=tmp_path) == f"{lightbroker.__version__}\n"


def test_the_wheel_and_the_sdist_hold_the_package(dist: Path) -> None:
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    with tarfile.open(next(dist.glob("*.tar.gz"))) as sdist:
        packed = {name.partition("/")[2] for name in sdist.getnames()}
    assert held == package()
    assert packed >= package() | {"pyproject.toml", "README.md", "LICENSE"}


def test_the_wheel_works_in_an_empty_environment(dist: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", symlinks=sys.platform != "win32", with_pip=True)
    programs = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    run(programs / "python", "-m", "pip", "install", "--no-index", next(dist.glob("*.whl")), cwd=tmp_path)
    assert run(programs / "lightbroker", "--version", cwd=tmp_path) == f"{lightbroker.__version__}\n"
    assert str(tmp_path / "venv") in run(programs / "python", "-I", SMOKE, cwd=tmp_path)
