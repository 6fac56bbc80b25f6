"""The targets of the in-memory broker, each with the measured value, its interval, and how far it was missed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from lightbroker.lab.bench.plan import LIGHT, QUEUE, TAIL_RATE
from lightbroker.lab.measure.results import Bar, Measurement, Run
from lightbroker.lab.measure.stats import Estimate, median_interval, paired_ratios

_WITHIN_LIMIT = 0.9  # of the runs, for the bar on the tail: 9 of 10


@dataclass(frozen=True)
class Select:
    """The usable values of some runs. Keywords name fields of `Config`; twins are left out unless asked for."""

    runs: Sequence[Run]
    seed: int

    def runs_of(self, **wanted: object) -> Iterator[Run]:
        """All runs with these settings, usable or not."""
        wanted = {"twin": False, **wanted}
        return (run for run in self.runs if all(getattr(run.config, name) == value for name, value in wanted.items()))

    def measurements(self, **wanted: object) -> Iterator[tuple[int, Measurement]]:
        """Block and measurement of the sound and valid runs with these settings."""
        for run in self.runs_of(**wanted):
            if run.sound and run.measurement is not None and run.measurement.invalid is None:
                yield run.block, run.measurement

    def values(self, **wanted: object) -> list[float]:
        """Their values, one for each run."""
        return [found.value for _, found in self.measurements(**wanted) if found.value is not None]

    def details(self, name: str, **wanted: object) -> list[float | None]:
        """One of their details, one for each run."""
        return [found.details[name] for _, found in self.measurements(**wanted)]

    def blocks(self, **wanted: object) -> dict[int, float]:
        """Their values by block; of several runs in a block the median."""
        found: dict[int, list[float]] = {}
        for block, measurement in self.measurements(**wanted):
            if measurement.value is not None:
                found.setdefault(block, []).append(measurement.value)
        return {block: median(values) for block, values in found.items()}

    def estimate(self, values: Sequence[float]) -> Estimate | None:
        """The median with its bootstrap interval; None without values."""
        return median_interval(values, self.seed) if values else None

    def ratio(self, of: Mapping[str, object], to: Mapping[str, object], **both: object) -> Estimate | None:
        """The ratio of two settings, paired within each block; None if no block has both."""
        return self.estimate(paired_ratios(self.blocks(**both, **of), self.blocks(**both, **to)))


def judge(runs: Sequence[Run], seed: int) -> list[Bar]:
    """Every bar; those whose runs were not made say so."""
    select = Select(runs, seed)
    light: dict[str, object] = {"system": LIGHT}
    peer: dict[str, object] = {"system": QUEUE}
    wide: dict[str, object] = {"scenario": "closed", "producers": 10, "consumers": 100, "capacity": None}
    bars = [
        weigh("push + pull + ack / queue.Queue", 1.3, "ratio", select.ratio(light, peer, scenario="cycle")),
        weigh("10 x 100 throughput / queue.Queue", 12, "ratio", select.ratio(light, peer, **wide), least=True),
    ]
    for producers in (1, 10):
        scaling = select.ratio(
            {"consumers": 100}, {"consumers": 1}, scenario="closed", producers=producers, capacity=None, **light
        )
        bars.append(weigh(f"{producers} x 100 throughput / {producers} x 1", 0.8, "ratio", scaling, least=True))
    batch = select.estimate(select.values(scenario="batch", **light))
    bars.append(weigh("batches of 100, full cycle", 0.6, "µs/message", batch))
    bars += [_tail(select, producers) for producers in (1, 10)]
    bars.append(_against_peer(select))
    memory = select.estimate(select.values(scenario="memory", **light))
    bars.append(weigh("queued message beyond its body", 320, "bytes", memory))
    bars.append(_million(select))
    copies = select.estimate(select.values(scenario="publish", **light))
    bars.append(weigh("publish to 100 subscribers", 0.3, "µs/copy", copies))
    return bars


def weigh(claim: str, limit: float, unit: str, found: Estimate | None, *, least: bool = False) -> Bar:
    """The bar `at most limit`, or `at least`, for what was found; None: it was not measured."""
    sense = "at least" if least else "at most"
    if found is None:
        return Bar(claim, sense, limit, unit, None, None, None, None, "not measured")
    met = found.median >= limit if least else found.median <= limit
    verdict = "met" if met else f"missed by {abs(found.median / limit - 1):.0%}"
    if found.low < limit < found.high:
        verdict += " (the interval holds the bar)"
    return Bar(claim, sense, limit, unit, found.median, found.low, found.high, met, verdict)


def _tail(select: Select, producers: int) -> Bar:
    """The bar holds in 9 of 10 runs; one that is invalid or lost something counts as one that missed."""
    claim = f"p99 at 10,000/s, {producers} x 100, in 9 of 10 runs"
    settings: dict[str, object] = {"scenario": "open", "system": LIGHT, "rate": TAIL_RATE, "producers": producers}
    made, values = len(list(select.runs_of(**settings))), select.values(**settings)
    if not made:
        return Bar(claim, "at most", 1_000, "µs", None, None, None, None, "not measured")
    within = sum(value < 1_000 for value in values)
    met = within >= _WITHIN_LIMIT * made
    verdict = f"{'met' if met else 'missed'}: {within} of {made} runs"
    bar = Bar(claim, "at most", 1_000, "µs", None, None, None, met, verdict)
    return replace(bar, measured=median(values), low=min(values), high=max(values)) if values else bar


def _against_peer(select: Select) -> Bar:
    settings: dict[str, object] = {"scenario": "open", "rate": 50_000, "producers": 10}
    claim = "p99 at 50,000/s, 10 x 100 / queue.Queue"
    found = select.ratio({"system": LIGHT}, {"system": QUEUE}, **settings)
    bar = weigh(claim, 1 / 3, "ratio", found)
    if found is None and select.values(system=LIGHT, **settings) and any(select.runs_of(system=QUEUE, **settings)):
        return replace(bar, verdict="no ratio: queue.Queue kept the plan in no run")
    return bar


def _million(select: Select) -> Bar:
    bar = Bar("queued and drained, none lost", "at least", 1e6, "messages", None, None, None, None, "not measured")
    made = list(select.runs_of(scenario="memory", system=LIGHT))
    if not made:
        return bar
    if made[0].config.messages < bar.limit:
        return replace(bar, verdict=f"not measured: only {made[0].config.messages:,} queued")
    drained = [run.measurement.audit.received if run.sound and run.measurement else 0 for run in made]
    met = min(drained) >= bar.limit
    verdict = "met" if met else f"missed: {sum(each < bar.limit for each in drained)} of {len(made)} runs"
    return replace(bar, measured=median(drained), low=min(drained), high=max(drained), met=met, verdict=verdict)
