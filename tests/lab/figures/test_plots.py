"""Figures: every one is drawn without a warning, says what it was told to, and repeats byte for byte."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from lightbroker import Broker, ManualClock, Retry
from lightbroker.lab.figures.plots.frame import Label, caption, duration, frame, label_ends, save, short, styled
from lightbroker.lab.figures.plots.latency import Ladder, Load, draw_heat_map, draw_hockey_stick, draw_percentiles
from lightbroker.lab.figures.plots.throughput import draw_throughput
from lightbroker.lab.figures.plots.timeline import draw_timeline
from lightbroker.lab.measure.curves import heat, ladder
from lightbroker.lab.theory.usl import fit

matplotlib.use("Agg")
RNG = np.random.default_rng
LATENCY = RNG(1).lognormal(5, 0.5, 20_000)
RUNS = {n: [1_000.0 * n / (1 + 0.1 * (n - 1)) * each for each in (0.98, 1.0, 1.03)] for n in (1, 2, 4, 8)}
MACHINE = {
    "cpu": "A CPU",
    "cores_usable": 2,
    "python_build": "CPython, GCC",
    "python": "3.11.7",
    "gil": True,
    "date": "2026-01-02T03:04:05",
}
CAPTION = caption(MACHINE, "synthetic")
TITLE = "The finding stands above the figure, with its number, 42, and may take more than one line"


def a_life(name: str) -> Figure:
    clock = ManualClock()
    broker = Broker(clock=clock, trace=100)
    queue = broker.queue("q", retry=Retry(max_attempts=2, base=1.0, jitter=False))
    ids = {"bad": queue.push("bad"), "good": queue.push("good")}
    queue.pull().nack("boom")
    queue.pull().ack()
    clock.advance(1.0)
    queue.pull().nack("boom")
    found = ids[name]
    assert found is not None
    return draw_timeline(broker.trace(found), name, TITLE, CAPTION)


def a_ladder() -> Figure:
    found = Ladder(*ladder(LATENCY).values(), LATENCY.size)
    return draw_percentiles({"one": found, "other": found}, TITLE, CAPTION, promise_us=1_000)


def a_heat_map() -> Figure:
    found = heat(np.linspace(0, 10, LATENCY.size), LATENCY)
    return draw_heat_map(found["heat_s"], found["heat_us"], found["heat"], TITLE, CAPTION)


def a_hockey_stick() -> Figure:
    loads = [Load(1e3, [90, 91], [200, 210]), Load(1e4, [95], [240, None]), Load(1e5, [], [None, None])]
    theory = ("M/D/1", [1e3, 1e4, 5e4], [5.0, 6.0, 50.0])
    return draw_hockey_stick({"one": loads, "other": loads[:2]}, TITLE, CAPTION, theory, promise=(1e4, 1e3))


FIGURES: dict[str, Callable[[], Figure]] = {
    "percentiles": a_ladder,
    "heat map": a_heat_map,
    "hockey stick": a_hockey_stick,
    "throughput": lambda: draw_throughput(
        {"one": RUNS, "other": {1: [500.0], 8: [90.0]}}, TITLE, CAPTION, {"one": fit(RUNS, 1)}
    ),
    "timeline of a dead letter": lambda: a_life("bad"),
    "timeline of an acked message": lambda: a_life("good"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_states_its_finding_and_its_machine_and_cuts_no_text_off(name: str, tmp_path: Path) -> None:
    figure = FIGURES[name]()
    assert figure.get_suptitle().replace("\n", " ") == TITLE
    assert figure.get_supxlabel().replace("\n", " ") == CAPTION
    assert not any(axes.get_legend() for axes in figure.axes), "lines carry their names"
    save(figure, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size < 300_000
    assert plt.get_fignums() == []
    width, height = figure.canvas.get_width_height()
    for text in [*figure.texts, *(text for axes in figure.axes for text in (*axes.texts, axes.title))]:
        box = text.get_window_extent()
        assert box.x0 >= -1, text
        assert box.x1 <= width + 1, text
        assert box.y0 >= -1, text
        assert box.y1 <= height + 1, text


def test_the_same_data_give_the_same_bytes_whatever_the_users_own_style(tmp_path: Path) -> None:
    save(a_ladder(), tmp_path / "one.png")
    with plt.rc_context({"axes.facecolor": "black", "font.size": 40, "savefig.dpi": 20}):
        save(a_ladder(), tmp_path / "other.png")
    found = (tmp_path / "one.png").read_bytes()
    assert found == (tmp_path / "other.png").read_bytes()
    assert b"Software" not in found, "matplotlib's version is no part of the data"


def test_labels_are_moved_apart_where_they_would_touch() -> None:
    @styled
    def draw() -> Figure:
        figure, (axes,) = frame("", "")
        axes.plot([0, 1], [0, 1])
        axes.set_xlim(0, 2)
        label_ends(axes, [Label(1, 0.5, "one", "k"), Label(1, 0.5, "two\nlines", "k"), Label(1, 0.51, "three", "k")])
        return figure

    figure = draw()
    figure.canvas.draw()
    boxes = sorted((text.get_window_extent() for text in figure.axes[0].texts), key=lambda box: box.y0)
    assert len(boxes) == 3
    assert all(below.y1 <= above.y0 + 2 for below, above in pairwise(boxes))
    plt.close(figure)


@pytest.mark.parametrize(
    ("value", "text"), [(0.06, "0.06"), (999, "999"), (10_000, "10k"), (261_000, "261k"), (1.2e6, "1.2M")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize(("value", "text"), [(160, "160 µs"), (1_000, "1 ms"), (181_234, "181 ms"), (2e6, "2 s")])
def test_durations_have_the_unit_that_reads_best(value: float, text: str) -> None:
    assert duration(value) == text


def test_the_caption_names_machine_python_and_day() -> None:
    assert CAPTION == "A CPU, 2 cores · CPython 3.11.7 (GIL) · 2026-01-02 · synthetic"
