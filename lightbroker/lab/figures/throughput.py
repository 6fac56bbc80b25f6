"""Throughput: with one mutex and without, over consumers, over the switch interval, with handlers that wait or compute.

The figures of notebook 06, and `convoy` of notebook 01.
"""

from statistics import median

from matplotlib.figure import Figure

from lightbroker.lab.bench.bars import Select
from lightbroker.lab.bench.experiments import CONSUMERS, HANDLER_S, SWITCH_INTERVALS_S
from lightbroker.lab.bench.systems import LIGHT, QUEUE
from lightbroker.lab.figures.plots.drawing import Drawing
from lightbroker.lab.figures.plots.frame import (
    BLUE,
    DARK,
    GREY,
    PALE,
    RED,
    SHORT,
    caption,
    duration,
    frame,
    short,
    styled,
    write_at,
)
from lightbroker.lab.figures.plots.throughput import draw_throughput
from lightbroker.lab.measure.results import Results, Scene
from lightbroker.lab.theory import usl

ALONE, BUSY = "alone", "a thread computes"  #: without a neighbour, and beside one


def convoy(scene: Scene) -> Figure:
    """Draw throughput over consumers, of a queue with one mutex and of LightBroker."""
    runs = {
        name: {float(consumers): values for consumers, values in found.items()}
        for name, found in scene.data["throughput"].items()
    }
    mutex, light = scene.data["mutex"], scene.data["light"]
    most = max(runs[mutex])
    passed = {name: short(median(found[most])) for name, found in runs.items()}
    # Not every platform tells how often a thread had to wait.
    waits = {name: f"{median(found):.2g}" for name, found in scene.data["waits"].items() if None not in found}
    title = f"With {most:g} consumers {mutex} passes {passed[mutex]} messages/s, {light} {passed[light]}"
    if len(waits) == len(runs):
        title += f": {waits[mutex]} waits a message against {waits[light]}"
    note = f"{scene.data['producers']} producers, unbounded, closed loop; a dot is a run"
    return draw_throughput(runs, title, caption(scene.machine, note))


def consumers(found: Results) -> Figure:
    """Draw throughput over consumers: LightBroker with the fitted scalability law, and queue.Queue."""
    select = Select(found.runs, found.seed)
    runs = {
        system: {float(n): values for n in CONSUMERS if (values := select.values(system=system, consumers=n))}
        for system in (LIGHT, QUEUE)
    }
    light, queue = (median(runs[system][CONSUMERS[-1]]) for system in (LIGHT, QUEUE))
    fit = usl.fit({int(n): values for n, values in runs[LIGHT].items()}, found.seed)
    title = (
        f"With {CONSUMERS[-1]} consumers LightBroker passes {short(light)} messages/s and queue.Queue {short(queue)}: "
        f"{short(light / queue)} times"
    )
    note = f"10 producers, unbounded, {found.repetitions} runs; band: 95 % of the fitted USL"
    return draw_throughput(runs, title, caption(found.machine, note), {LIGHT: fit})


def switch_interval(found: Results) -> Figure:
    """Draw throughput over the interpreter's switch interval."""
    select = Select(found.runs, found.seed)
    runs = {
        system: {1e3 * each: select.values(system=system, switch_interval_s=each) for each in SWITCH_INTERVALS_S}
        for system in (LIGHT, QUEUE)
    }
    spreads = {name: [median(values) for values in each.values() if values] for name, each in runs.items()}
    light, queue = (max(spreads[system]) / min(spreads[system]) for system in (LIGHT, QUEUE))
    title = (
        f"The switch interval changes LightBroker's throughput by a factor of {short(light)}, "
        f"queue.Queue's by {short(queue)}"
    )
    note = f"10 producers, 100 consumers, {found.repetitions} runs"
    return draw_throughput(runs, title, caption(found.machine, note), xlabel="switch interval, ms, log scale")


def handlers(found: Results) -> Figure:
    """Draw throughput over consumers whose handlers wait or compute."""
    select = Select(found.runs, found.seed)
    counts = sorted({run.config.consumers for run in found.runs})
    verbs = {"sleeping": "wait", "computing": "compute"}
    runs = {
        f"they {verbs[name]} {duration(seconds * 1e6)}": {
            float(n): values for n in counts if (values := select.values(handler=name, consumers=n))
        }
        for name, seconds in HANDLER_S.items()
    }
    waiting, computing = (median(each[counts[-1]]) / median(each[counts[0]]) for each in runs.values())
    title = (
        f"{counts[-1]} consumers do the work of {waiting:.0f} if their handlers wait, "
        f"and of {computing:.1f} if they compute"
    )
    return draw_throughput(runs, title, caption(found.machine, f"one producer, {found.repetitions} runs"))


@styled
def busy(scene: Scene) -> Figure:
    """Draw the throughput of consumers whose handlers wait: alone, beside a thread that computes, with each remedy."""
    runs: dict[str, list[float]] = scene.data["runs"]
    medians = {name: median(values) for name, values in runs.items()}
    alone, beside = (medians[name] for name in (ALONE, BUSY))
    consumers, wait = scene.data["consumers"], duration(scene.data["handler_s"] * 1e6)
    title = (
        f"{consumers} consumers that wait {wait} pass {short(alone)} messages/s; "
        f"beside one thread that computes, {short(beside)}: {beside / alone:.0%}"
    )
    note = f"bar: median of {max(map(len, runs.values()))} runs, each a dot"
    figure, (axes,) = frame(title, caption(scene.machine, note), height=1.7 + 0.55 * len(runs))
    for place, (name, values) in enumerate(reversed(list(runs.items()))):
        colour = {ALONE: BLUE, BUSY: RED}.get(name, PALE)
        axes.barh(place, medians[name], height=0.6, color=colour, alpha=0.75)
        axes.plot(values, [place] * len(values), "o", color=DARK, alpha=0.55, markersize=4)
        rate = f"{short(medians[name])}/s"
        write_at(axes, rate, (max(values), place), (9, 0), va="center", fontsize=12, fontweight="bold", color=GREY)
    axes.set_yticks(range(len(runs)), list(reversed(list(runs))))
    axes.set_xlim(0, 1.18 * max(max(values) for values in runs.values()))
    axes.xaxis.set_major_formatter(SHORT)
    axes.set_xlabel("messages/s")
    axes.grid(visible=False, axis="y")
    return figure


DRAWINGS = (
    Drawing(
        "convoy",
        "convoy",
        Scene.read,
        convoy,
        "Throughput over 1 to 100 consumers, one mutex beside LightBroker.",
        "make notebooks",
    ),
    Drawing(
        "consumers",
        "consumers",
        Results.read,
        consumers,
        "Throughput over 1 to 100 consumers, with the scalability law.",
    ),
    Drawing(
        "switch-interval",
        "switch-interval",
        Results.read,
        switch_interval,
        "Throughput over the interpreter's switch interval.",
    ),
    Drawing(
        "handlers",
        "handlers",
        Results.read,
        handlers,
        "Throughput over consumers whose handlers wait, or compute.",
    ),
    Drawing(
        "busy",
        "busy",
        Scene.read,
        busy,
        "Throughput of 100 consumers that wait, beside a thread that computes.",
        "make notebooks",
    ),
)
