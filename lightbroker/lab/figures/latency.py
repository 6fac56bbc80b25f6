"""Latency, with its p99: over the offered load, in open and closed loops, by arrivals, beside a busy neighbour.

The figures of notebook 07.
"""

from dataclasses import asdict
from statistics import median

import numpy as np
from matplotlib.figure import Figure

from lightbroker.lab.bench.bars import Select
from lightbroker.lab.bench.experiments import PAUSE_S, RATES
from lightbroker.lab.bench.studies.memory_plan import TAIL_RATE
from lightbroker.lab.bench.systems import LIGHT, QUEUE
from lightbroker.lab.figures.plots.drawing import Drawing
from lightbroker.lab.figures.plots.frame import caption, duration, short
from lightbroker.lab.figures.plots.latency import Ladder, Load, draw_heat_map, draw_hockey_stick, draw_percentiles
from lightbroker.lab.figures.throughput import ALONE, BUSY
from lightbroker.lab.measure.results import Config, Measurement, Results
from lightbroker.lab.theory.queueing import MD1, PausedServer

_PROMISE_US = 1_000.0


def hockey_stick(found: Results) -> Figure:
    """Draw p50 and p99 over the offered load, with the theory of a server as fast as the saturated system."""
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
    return draw_hockey_stick(loads, title, caption(found.machine, note), theory, (TAIL_RATE, _PROMISE_US))


def coordinated_omission(found: Results) -> Figure:
    """Draw the percentiles of an open and of a closed loop while the server pauses."""
    open_, closed = (_typical(found, scenario=scenario) for scenario in ("open", "requests"))
    theory = PausedServer(10 * PAUSE_S, PAUSE_S).percentile(99) * 1e6
    title = (
        f"The same server, the same pauses: p99 is {duration(open_.value or 0)} from the planned time, "
        f"{duration(closed.value or 0)} if the client waits for its answers"
    )
    note = f"theory for the open loop: {duration(theory)}; of {found.repetitions} runs the one with the median p99"
    ladders = {"open loop": _ladder(open_), "closed loop": _ladder(closed)}
    return draw_percentiles(ladders, title, caption(found.machine, note))


def pauses(found: Results) -> Figure:
    """Draw the pauses of the server as a heat map."""
    run = _typical(found, scenario="open")
    curves = run.curves
    rows = np.asarray(curves["heat"]).reshape(len(curves["heat_us"]) - 1, -1)
    pause, period, long = PAUSE_S * 1e6, PAUSE_S * 1e7, PAUSE_S * 1e5  # µs
    late = rows[np.asarray(curves["heat_us"][1:]) > long].sum() / rows.sum()
    title = (
        f"A server that pauses {duration(pause)} in every {duration(period)} makes {late:.0%} of its messages wait "
        f"for more than {duration(long)}"
    )
    note = "open loop, 1,000 messages/s, latency from the planned time"
    return draw_heat_map(curves["heat_s"], curves["heat_us"], curves["heat"], title, caption(found.machine, note))


def arrivals(found: Results) -> Figure:
    """Draw the percentiles for each shape of the arrivals, at the same rate."""
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
    return draw_percentiles(ladders, title, caption(found.machine, note), _PROMISE_US)


def neighbour(found: Results) -> Figure:
    """Draw the percentiles without a neighbour that computes, beside one, and with each remedy."""
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
    return draw_percentiles(ladders, title, caption(found.machine, note), _PROMISE_US)


def _typical(found: Results, **wanted: object) -> Measurement:
    """Return the measurement with the median value of the runs with these settings.

    Runs that could not keep their plan count only if all of them could not.
    """
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
    """Return the name of a configuration of `neighbour`: what runs beside it, or what is done about that."""
    if config.switch_interval_s is not None:
        return f"switch interval {duration(config.switch_interval_s * 1e6)}"
    names = {"none": ALONE, "computing": BUSY, "yielding": "if it yields each 0.1 ms"}
    return names.get(config.neighbour, "in a process of its own")


DRAWINGS = (
    Drawing(
        "hockey-stick",
        "hockey-stick",
        Results.read,
        hockey_stick,
        "p50 and p99 over the offered load, the theory, the promise.",
    ),
    Drawing(
        "coordinated-omission",
        "coordinated-omission",
        Results.read,
        coordinated_omission,
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
