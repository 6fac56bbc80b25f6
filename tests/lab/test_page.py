"""The frame of a notebook: full scale keeps data and pictures, quick scale writes nothing."""

from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure

from lightbroker.lab import page
from lightbroker.lab.figures.plots.drawing import Drawing
from lightbroker.lab.measure.results import Scene
from lightbroker.lab.page import Page


def draw(scene: Scene) -> Figure:
    figure, axes = plt.subplots()
    axes.set_title(f"{max(scene.data['heights'])} blocks")
    axes.plot(scene.data["heights"])
    return figure


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the figures of a page are kept that runs in the folder beside."""
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    monkeypatch.setattr(page, "DRAWINGS", [Drawing("tower", "blocks", Scene.read, draw, "Blocks.", "make notebooks")])
    return tmp_path / "figures"


def make(scale: str, monkeypatch: pytest.MonkeyPatch) -> Page:
    monkeypatch.setenv("LIGHTBROKER_SCALE", scale)
    return Page()


def test_at_full_scale_the_data_and_the_picture_that_is_shown_are_kept(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = make("full", monkeypatch).figure("tower", heights=[1, 3])
    assert shown.data == (home / "tower.png").read_bytes()
    kept = Scene.read(home / "data" / "blocks.json")
    assert (kept.data, kept.scale) == ({"heights": [1, 3]}, "full")
    assert kept.machine["cpu"]


def test_at_quick_scale_the_same_is_shown_and_nothing_is_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = make("full", monkeypatch).figure("tower", heights=[1, 3])
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    assert make("quick", monkeypatch).figure("tower", heights=[1, 3]).data == full.data
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before


def test_a_committed_figure_is_drawn_from_its_data_and_nothing_is_written(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make("full", monkeypatch).figure("tower", heights=[1, 3])
    (home / "tower.png").unlink()
    assert make("full", monkeypatch).committed("tower").data == made.data
    assert [path.name for path in home.rglob("*.*")] == ["blocks.json"]


def test_the_scale_picks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert make("full", monkeypatch).pick(full=10, quick=1) == 10
    assert make("quick", monkeypatch).pick(full=10, quick=1) == 1


def test_without_a_scale_a_page_is_full(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("LIGHTBROKER_SCALE", raising=False)
    assert Page().scale == "full"
    assert "scale: full" in capsys.readouterr().out


def test_what_cannot_be_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="LIGHTBROKER_SCALE is 'half', not full or quick"):
        make("half", monkeypatch)
    with pytest.raises(ValueError, match="no drawing is called 'sky'"):
        make("quick", monkeypatch).figure("sky")
    monkeypatch.setattr(page, "DRAWINGS", [Drawing("plan", None, Scene.read, draw, "A plan.")])
    with pytest.raises(ValueError, match="'plan' is drawn from no data"):
        make("quick", monkeypatch).figure("plan")


def test_what_was_never_measured_cannot_be_shown(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r"blocks\.json"):
        make("quick", monkeypatch).committed("tower")


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "scene.json").write_text("{}")
    with pytest.raises(ValueError, match=r"scene\.json is not a file of a notebook's results"):
        Scene.read(tmp_path / "scene.json")
