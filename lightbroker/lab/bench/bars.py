"""The usable values of some runs, and how well they meet a bar."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from lightbroker.lab.measure.results import Bar, Measurement, Run
from lightbroker.lab.measure.stats import Estimate, median_interval, paired_ratios


@dataclass(frozen=True)
class Select:
    """The values of runs, picked by their settings.

    The methods take settings as keywords: fields of `Config` with the wanted value. The second run of an A/A pair
    (`twin`) is left out unless `twin=True` asks for it. A run is usable if every message arrived once and its
    measurement is valid.

    Attributes:
        runs: All runs of a bench or of an experiment.
        seed: Of the bootstrap that makes the intervals.
    """

    runs: Sequence[Run]
    seed: int

    def runs_of(self, **wanted: object) -> Iterator[Run]:
        """Yield every run with these settings, usable or not."""
        wanted = {"twin": False, **wanted}
        return (run for run in self.runs if all(getattr(run.config, name) == value for name, value in wanted.items()))

    def measurements(self, **wanted: object) -> Iterator[tuple[int, Measurement]]:
        """Yield the block and the measurement of each usable run with these settings."""
        for run in self.runs_of(**wanted):
            if run.sound and run.measurement is not None and run.measurement.invalid is None:
                yield run.block, run.measurement

    def values(self, **wanted: object) -> list[float]:
        """Return the value of each usable run with these settings, in the unit of its measurement."""
        return [found.value for _, found in self.measurements(**wanted) if found.value is not None]

    def details(self, name: str, **wanted: object) -> list[float | None]:
        """Return one detail of each usable run with these settings; None where too few samples support it."""
        return [found.details[name] for _, found in self.measurements(**wanted)]

    def blocks(self, **wanted: object) -> dict[int, float]:
        """Return the value of each block: the median, if a block has several usable runs with these settings."""
        found: dict[int, list[float]] = {}
        for block, measurement in self.measurements(**wanted):
            if measurement.value is not None:
                found.setdefault(block, []).append(measurement.value)
        return {block: median(values) for block, values in found.items()}

    def estimate(self, values: Sequence[float]) -> Estimate | None:
        """Return the median of the values with its 95 % bootstrap interval, or None without values."""
        return median_interval(values, self.seed) if values else None

    def ratio(self, of: Mapping[str, object], to: Mapping[str, object], **both: object) -> Estimate | None:
        """Divide the values of two settings by each other within each block.

        Args:
            of: The settings of the numerator.
            to: The settings of the denominator.
            both: Settings that the two have in common.

        Returns:
            The median ratio with its 95 % bootstrap interval, or None if no block has both.
        """
        return self.estimate(paired_ratios(self.blocks(**both, **of), self.blocks(**both, **to)))


def weigh(claim: str, limit: float, unit: str, found: Estimate | None, *, least: bool = False) -> Bar:
    """Compare an estimate with the limit of a bar.

    Args:
        claim: What the bar is about.
        limit: In `unit`, as is the estimate.
        unit: Such as `µs/message`, or `ratio`.
        found: What was measured, or None for a bar whose runs were not made.
        least: The estimate has to be at least the limit, and not at most.
    """
    sense = "at least" if least else "at most"
    if found is None:
        return Bar(claim, sense, limit, unit, None, None, None, None, "not measured")
    met = found.median >= limit if least else found.median <= limit
    verdict = "met" if met else f"missed by {abs(found.median / limit - 1):.0%}"
    if found.low < limit < found.high:
        verdict += " (the interval holds the bar)"
    return Bar(claim, sense, limit, unit, found.median, found.low, found.high, met, verdict)
