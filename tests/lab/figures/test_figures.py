"""The committed figures: each is drawn from a file of results alone, and its title holds the number in that file."""

from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

import lightbroker
from lightbroker.lab.bench.experiments import Experiment, experiments
from lightbroker.lab.figures import architecture, latency, throughput
from lightbroker.lab.figures import catalogue as figures
from lightbroker.lab.figures.catalogue import DRAWINGS
from lightbroker.lab.figures.plots.drawing import Drawing
from lightbroker.lab.figures.plots.frame import save
from lightbroker.lab.measure.audit import Audit
from lightbroker.lab.measure.curves import heat, ladder
from lightbroker.lab.measure.machine import describe
from lightbroker.lab.measure.results import Config, Measurement, Results, Run, Scene

ROOT = Path(lightbroker.__file__).parent.parent
CLEAN = Audit(1, 1, 1, 0, 0, 0)
FULL = {each.name: each for each in experiments()}
LATENCY = np.random.default_rng(1).lognormal(5, 0.5, 10_000)
CURVES = ladder(LATENCY) | heat(np.linspace(0, 5, LATENCY.size), LATENCY)

BESIDE = Scene(
    "busy",
    "full",
    describe(),
    {"consumers": 100, "handler_s": 0.001, "runs": {"alone": [50_000.0, 48_000.0], "a thread computes": [5_000.0]}},
)


def measured(config: Config, block: int) -> Measurement:
    """Made-up numbers: the closed loop 100 times as fast as the open loop's latency is high in µs."""
    value = {"closed": 200_000.0, "service": 50.0 * config.consumers}.get(config.scenario, 200.0 + block)
    if config.system == "queue.Queue" or config.neighbour == "computing":
        value /= 10 if config.scenario == "closed" else 0.1
    details: dict[str, float | None] = {"p50_us": value / 2, "samples": float(LATENCY.size)}
    invalid = "late" if config.rate == 200_000 else None
    return Measurement(value, "", CLEAN, invalid, details, CURVES if config.curves else {})


def results(planned: Experiment) -> Results:
    runs = [Run(block, config, measured(config, block), None, {}) for block in range(2) for config in planned.configs]
    return Results(planned.name, planned.question, "full", 1, 2, [], describe(), runs)


def write(folder: Path) -> None:
    for planned in FULL.values():
        results(planned).write(folder / f"{planned.name}.json")
    BESIDE.write(folder / "busy.json")


def test_every_figure_is_drawn_from_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "figures" / "data")
    assert figures.main() == 0, capsys.readouterr().err
    drawn = {path.stem for path in (tmp_path / "figures").glob("*.png")}
    measured = (*architecture.DRAWINGS, *throughput.DRAWINGS, *latency.DRAWINGS)
    assert drawn == {drawing.name for drawing in measured} - {"convoy"}  # whose data a notebook measures


def test_waiting_consumers_beside_a_thread_that_computes() -> None:
    figure = throughput.busy(BESIDE)
    title = "100 consumers that wait 1 ms pass 49k messages/s; beside one thread that computes, 5k: 10%"
    assert figure.get_suptitle().replace("\n", " ") == title
    plt.close(figure)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("consumers", "LightBroker passes 200k messages/s and queue.Queue 20k: 10 times"),
        ("handlers", "100 consumers do the work of 100 if"),
        ("hockey-stick", "the p99 is 200 µs; saturated, the same system passes 200k messages/s"),
        ("neighbour", "201 µs alone and 2.01 ms beside"),
    ],
)
def test_a_title_holds_the_number_of_the_file(name: str, number: str) -> None:
    figure = next(drawing.draw for drawing in DRAWINGS if drawing.name == name)(results(FULL[name]))  # type: ignore
    assert number in figure.get_suptitle().replace("\n", " ")
    plt.close(figure)


def test_without_data_nothing_is_drawn_and_a_wrong_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert figures.main() == 0
    assert "consumers: no figures/data/consumers.json yet; make experiments" in capsys.readouterr().out
    assert [path.name for path in tmp_path.rglob("*.*")] == ["architecture.png"]
    (tmp_path / "figures" / "data").mkdir()
    (tmp_path / "figures" / "data" / "consumers.json").write_text("{}")
    assert figures.main() == 1
    assert "consumers.json is not a file of experiment results" in capsys.readouterr().err


def test_the_readme_of_the_figures_has_a_line_for_each() -> None:
    text = (ROOT / "figures" / "README.md").read_text(encoding="utf-8")
    for drawing in DRAWINGS:
        data = "nothing" if drawing.data is None else f"`data/{drawing.data}.json`"
        module = drawing.draw.__module__.rpartition(".")[2]
        assert f"| `{drawing.name}.png` | {drawing.shows} | {data} | `{module}.py` |" in text
    for path in (ROOT / "figures").glob("*.png"):
        assert f"`{path.name}`" in text


@pytest.mark.parametrize("drawing", DRAWINGS, ids=lambda drawing: drawing.name)
def test_the_function_that_draws_a_figure_has_its_name(drawing: Drawing) -> None:
    assert drawing.draw.__name__ == drawing.name.replace("-", "_")


@pytest.mark.parametrize("drawing", DRAWINGS, ids=lambda drawing: drawing.name)
def test_a_committed_figure_is_what_its_committed_data_draws(drawing: Drawing, tmp_path: Path) -> None:
    picture = ROOT / "figures" / f"{drawing.name}.png"
    found = drawing.read(ROOT / "figures" / "data" / f"{drawing.data}.json")
    if found is not None:
        assert found.scale == "full"
        assert found.machine["cpu"]
    save(drawing.draw(found), tmp_path / "again.png")
    assert picture.exists(), "run make figures"
    # Another matplotlib draws the same with other bytes.
    if found is not None and found.machine["libraries"].get("matplotlib") == matplotlib.__version__:
        assert (tmp_path / "again.png").read_bytes() == picture.read_bytes(), "run make figures"
