"""One run's configuration and measurement, and the JSON file that holds all of them."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lightbroker.lab.audit import Audit

SCHEMA = "lightbroker-bench/1"


@dataclass(frozen=True)
class Config:
    """What one process measures.

    messages: how many, `warmup` included where it is cut from the same run; capacity: of the queue, None is unbounded;
    rate: offered load in messages/s; twin: the second of an A/A pair, the same system under a second name; batch:
    messages for each call.
    """

    scenario: str
    system: str
    messages: int
    warmup: int
    capacity: int | None = None
    producers: int = 1
    consumers: int = 1
    rate: float | None = None
    twin: bool = False
    batch: int = 1


@dataclass(frozen=True)
class Measurement:
    """What one process found. `value` is None if the samples do not support it; `invalid` says why not to use it."""

    value: float | None
    unit: str
    audit: Audit
    invalid: str | None = None
    details: dict[str, float | None] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Measurement":
        """The inverse of `dataclasses.asdict`; raises TypeError or KeyError for anything else."""
        return cls(**{**data, "audit": Audit(**data["audit"])})


@dataclass(frozen=True)
class Run:
    """One process of an experiment: which block it belongs to, and a measurement or the error that prevented it.

    canary: how much a 1 ms sleep overslept in the waiting parent while the run lasted, in µs; this is the noise of the
    machine and owes nothing to the system under test.
    """

    block: int
    config: Config
    measurement: Measurement | None
    error: str | None
    canary: dict[str, float | None]

    @property
    def sound(self) -> bool:
        """It came to an end, and every message arrived once."""
        return self.measurement is not None and self.measurement.audit.clean


@dataclass(frozen=True)
class Bar:
    """A target, what was measured, and its 95 % interval (or range) in the same unit; `met` is None if unmeasured.

    sense: `at most` or `at least` the limit.
    """

    claim: str
    sense: str
    limit: float
    unit: str
    measured: float | None
    low: float | None
    high: float | None
    met: bool | None
    verdict: str


@dataclass(frozen=True)
class Bench:
    """Everything that a figure or a reader needs: how it was measured, on what, every run, and the bars.

    skipped: systems that could not be measured here, with the reason.
    """

    scale: str
    seed: int
    repetitions: int
    method: list[str]
    machine: dict[str, Any]
    promises: dict[str, dict[str, Any]]
    runs: list[Run]
    bars: list[Bar]
    skipped: dict[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write JSON, through a file beside `path`, so that an interrupted bench leaves the older results alone."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_text(json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1, allow_nan=False) + "\n")
        part.replace(path)

    @classmethod
    def read(cls, path: Path) -> "Bench":
        """Read what `write` wrote. Raises ValueError that names the file if it holds anything else."""
        try:
            data = json.loads(path.read_text())
            schema = data.pop("schema")
            if schema != SCHEMA:
                raise ValueError(f"its schema is {schema!r}, not {SCHEMA!r}")
            runs = [_run(run) for run in data.pop("runs")]
            bars = [Bar(**bar) for bar in data.pop("bars")]
            return cls(**data, runs=runs, bars=bars)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{path} is not a file of bench results: {error}") from error


def _run(data: dict[str, Any]) -> Run:
    found = data["measurement"]
    measurement = None if found is None else Measurement.from_dict(found)
    return Run(**{**data, "config": Config(**data["config"]), "measurement": measurement})
