"""The figures of the measuring notebooks, from the results of `make experiments` and `make bench`."""

from dataclasses import asdict
from statistics import median

import numpy as np
from matplotlib.figure import Figure

from lightbroker.lab.bench.bars import Select
from lightbroker.lab.bench.experiments import CONSUMERS, HANDLER_S, PAUSE_S, RATES, SWITCH_INTERVALS_S
from lightbroker.lab.bench.studies.memory_plan import TAIL_RATE
from lightbroker.lab.bench.systems import LIGHT, QUEUE
from lightbroker.lab.figures.plots.drawing import Drawing
from lightbroker.lab.figures.plots.frame import BLUE, GREY, RED, SHORT, caption, duration, frame, short, styled
from lightbroker.lab.figures.plots.latency import Ladder, Load, heat_map, hockey_stick, percentiles
from lightbroker.lab.figures.plots.throughput import scaling
from lightbroker.lab.measure.results import Config, Measurement, Results, Scene
from lightbroker.lab.theory import usl
from lightbroker.lab.theory.queueing import MD1, PausedServer

_PROMISE_US = 1_000.0
ALONE, BUSY = "alone", "a thread computes"


def consumers(found: Results) -> Figure:
    """Throughput over consumers, LightBroker with its law, queue.Queue with what becomes of it."""
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
    return scaling(runs, title, caption(found.machine, note), {LIGHT: fit})


def switch_interval(found: Results) -> Figure:
    """Throughput over the interpreter's switch interval."""
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
    return scaling(runs, title, caption(found.machine, note), xlabel="switch interval, ms, log scale")


def handlers(found: Results) -> Figure:
    """Throughput over consumers whose handlers wait or compute."""
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
    return scaling(runs, title, caption(found.machine, f"one producer, {found.repetitions} runs"))


@styled
def busy(scene: Scene) -> Figure:
    """Throughput of consumers whose handlers wait: alone, beside a thread that computes, and with the ways out."""
    runs: dict[str, list[float]] = scene.data["runs"]
    medians = {name: median(values) for name, values in runs.items()}
    alone, busy = (medians[name] for name in (ALONE, BUSY))
    consumers, wait = scene.data["consumers"], duration(scene.data["handler_s"] * 1e6)
    title = (
        f"{consumers} consumers that wait {wait} pass {short(alone)} messages/s; "
        f"beside one thread that computes, {short(busy)}: {busy / alone:.0%}"
    )
    note = f"bar: median of {max(map(len, runs.values()))} runs, each a dot"
    figure, (axes,) = frame(title, caption(scene.machine, note), height=1.7 + 0.55 * len(runs))
    for place, (name, values) in enumerate(reversed(list(runs.items()))):
        colour = {ALONE: BLUE, BUSY: RED}.get(name, "#B8B8B8")
        axes.barh(place, medians[name], height=0.6, color=colour, alpha=0.75)
        axes.plot(values, [place] * len(values), "o", color="#222222", alpha=0.55, markersize=4)
        axes.annotate(
            f"{short(medians[name])}/s",
            (max(values), place),
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
            fontsize=12,
            fontweight="bold",
            color=GREY,
        )
    axes.set_yticks(range(len(runs)), list(reversed(list(runs))))
    axes.set_xlim(0, 1.18 * max(max(values) for values in runs.values()))
    axes.xaxis.set_major_formatter(SHORT)
    axes.set_xlabel("messages/s")
    axes.grid(visible=False, axis="y")
    return figure


def hockey(found: Results) -> Figure:
    """Latency over the offered load, with the theory of a single server as fast as the saturated system."""
    select = Select(found.runs, found.seed)
    loads = {
        system: [
            Load(
                rate,
                select.details("p50_us", scenario="open", system=system, rate=rate),
                [
                    run.measurement.value if run.measurement and run.measurement.invalid is None and run.sound else None
                    for run in select.runs_of(scenario="open", system=system, rate=rate)
                ],
            )
            for rate in RATES
        ]
        for system in (LIGHT, QUEUE)
    }
    ceiling = median(select.values(scenario="closed"))
    rates = np.geomspace(RATES[0], 0.98 * ceiling, 80).tolist()
    theory = ("M/D/1, p99", rates, [MD1(rate, 1 / ceiling).percentile(99) * 1e6 for rate in rates])
    kept = median(select.values(scenario="open", system=LIGHT, rate=TAIL_RATE))
    title = (
        f"At {TAIL_RATE:,} messages/s the p99 is {duration(kept)}; "
        f"saturated, the same system passes {short(ceiling)} messages/s"
    )
    note = f"Poisson arrivals, 1 producer, 100 consumers, {found.repetitions} runs"
    return hockey_stick(loads, title, caption(found.machine, note), theory, (TAIL_RATE, _PROMISE_US))


def omission(found: Results) -> Figure:
    """The same pauses in the percentiles of an open and of a closed loop."""
    open_, closed = (_typical(found, scenario=scenario) for scenario in ("open", "requests"))
    theory = PausedServer(10 * PAUSE_S, PAUSE_S).percentile(99) * 1e6
    title = (
        f"The same server, the same pauses: p99 is {duration(open_.value or 0)} from the planned time, "
        f"{duration(closed.value or 0)} if the client waits for its answers"
    )
    note = f"theory for the open loop: {duration(theory)}; of {found.repetitions} runs the one with the median p99"
    ladders = {"open loop": _ladder(open_), "closed loop": _ladder(closed)}
    return percentiles(ladders, title, caption(found.machine, note))


def pauses(found: Results) -> Figure:
    """The pauses of the server as a heat map."""
    run = _typical(found, scenario="open")
    curves = run.curves
    rows = np.asarray(curves["heat"]).reshape(len(curves["heat_us"]) - 1, -1)
    pause, period, long = PAUSE_S * 1e6, PAUSE_S * 1e7, PAUSE_S * 1e5
    late = rows[np.asarray(curves["heat_us"][1:]) > long].sum() / rows.sum()
    title = (
        f"A server that pauses {duration(pause)} in every {duration(period)} makes {late:.0%} of its messages wait "
        f"for more than {duration(long)}"
    )
    note = "open loop, 1,000 messages/s, latency from the planned time"
    return heat_map(curves["heat_s"], curves["heat_us"], curves["heat"], title, caption(found.machine, note))


def arrivals(found: Results) -> Figure:
    """Percentiles for each shape of the arrivals."""
    shapes = list(dict.fromkeys(run.config.arrivals for run in found.runs))
    runs = {shape: _typical(found, arrivals=shape) for shape in sorted(shapes)}
    worst = max(set(runs) - {"constant"}, key=lambda shape: runs[shape].value or 0)
    rate = next(run.config.rate for run in found.runs)
    title = (
        f"At the same {rate:,.0f} messages/s the p99 of constant arrivals is {duration(runs['constant'].value or 0)}, "
        f"of {worst} arrivals {duration(runs[worst].value or 0)}"
    )
    note = f"open loop, 100 consumers, of {found.repetitions} runs the one with the median p99"
    ladders = {shape: _ladder(run) for shape, run in runs.items()}
    return percentiles(ladders, title, caption(found.machine, note), _PROMISE_US)


def neighbour(found: Results) -> Figure:
    """Percentiles without a neighbour, with one, and with each way out."""
    configs = list(dict.fromkeys(run.config for run in found.runs))
    runs = {_beside(config): _typical(found, **asdict(config)) for config in configs}
    alone, busy = runs[ALONE].value or 0, runs[BUSY].value or 0
    best = min((name for name in runs if name not in (ALONE, BUSY)), key=lambda each: runs[each].value or 0)
    title = (
        f"The p99 is {duration(alone)} alone and {duration(busy)} beside a thread that computes; "
        f"{best}: {duration(runs[best].value or 0)}"
    )
    late = sum(run.invalid is not None for run in runs.values())
    note = f"open loop, 1,000 messages/s, of {found.repetitions} runs the one with the median p99"
    if late:
        note += f"; {late} of {len(runs)} could not keep the plan"
    ladders = {name: _ladder(run) for name, run in sorted(runs.items())}
    return percentiles(ladders, title, caption(found.machine, note), _PROMISE_US)


def _typical(found: Results, **wanted: object) -> Measurement:
    """The measurement with the median value; of runs that could not keep their plan only if there are no others."""
    sound = [
        run.measurement for run in Select(found.runs, found.seed).runs_of(**wanted) if run.measurement and run.sound
    ]
    usable = [each for each in sound if each.invalid is None] or sound
    if not usable:
        raise ValueError(f"{found.name}: no sound run with {wanted}")
    return sorted(usable, key=lambda each: each.value or 0.0)[len(usable) // 2]


def _ladder(run: Measurement) -> Ladder:
    return Ladder(run.curves["percent"], run.curves["latency_us"], int(run.details["samples"] or 0))


def _beside(config: Config) -> str:
    if config.switch_interval_s is not None:
        return f"switch interval {duration(config.switch_interval_s * 1e6)}"
    names = {"none": ALONE, "computing": BUSY, "yielding": "if it yields each 0.1 ms"}
    return names.get(config.neighbour, "in a process of its own")


DRAWINGS = (
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
    Drawing(
        "hockey-stick",
        "hockey-stick",
        Results.read,
        hockey,
        "p50 and p99 over the offered load, the theory, the promise.",
    ),
    Drawing(
        "coordinated-omission",
        "coordinated-omission",
        Results.read,
        omission,
        "The same pauses seen by an open and a closed loop.",
    ),
    Drawing(
        "pauses",
        "coordinated-omission",
        Results.read,
        pauses,
        "A server that pauses, as a heat map over time.",
    ),
    Drawing(
        "arrivals",
        "arrivals",
        Results.read,
        arrivals,
        "Percentiles for five shapes of arrivals at the same rate.",
    ),
    Drawing(
        "neighbour",
        "neighbour",
        Results.read,
        neighbour,
        "Percentiles beside a thread that computes, and three ways out.",
    ),
)
