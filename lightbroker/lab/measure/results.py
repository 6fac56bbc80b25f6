"""One run's configuration and measurement, and the JSON files that hold all of them."""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

from lightbroker.lab.measure.audit import Audit


@dataclass(frozen=True)
class Config:
    """What one process measures.

    messages: how many, `warmup` included where it is cut from the same run; capacity: of the queue, None is unbounded;
    rate: offered load in messages/s; twin: the second of an A/A pair, the same system under a second name; batch:
    messages for each call; arrivals: of `arrivals.SHAPES`; handler: of `handlers.HANDLERS`, which takes `handler_s`
    seconds; neighbour: of `neighbour.NEIGHBOURS`; pacer: the sender is woken from a process of its own;
    switch_interval_s: of the interpreter (None: its default); curves: keep the ladder of percentiles and the heat map.
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
    arrivals: str = "constant"
    handler: str = "none"
    handler_s: float = 0.0
    neighbour: str = "none"
    pacer: bool = False
    switch_interval_s: float | None = None
    curves: bool = False

    def given(self) -> dict[str, object]:
        """What is not at its default; an earlier revision may not know the rest."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name)) != each.default}


@dataclass(frozen=True)
class Measurement:
    """What one process found. `value` is None if the samples do not support it; `invalid` says why not to use it.

    details: further numbers, by name; curves: lists of numbers that belong together, as `curves.py` makes them.
    """

    value: float | None
    unit: str
    audit: Audit
    invalid: str | None = None
    details: dict[str, float | None] = field(default_factory=dict)
    curves: dict[str, list[float]] = field(default_factory=dict)

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

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Run":
        """The inverse of `dataclasses.asdict`; raises TypeError or KeyError for anything else."""
        found = data["measurement"]
        measurement = None if found is None else Measurement.from_dict(found)
        return cls(**{**data, "config": Config(**data["config"]), "measurement": measurement})

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

    SCHEMA: ClassVar = "lightbroker-bench/1"

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
        _replace(path, json.dumps({"schema": self.SCHEMA, **asdict(self)}, indent=1, allow_nan=False) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Bench":
        """Read what `write` wrote. Raises ValueError that names the file if it holds anything else."""
        try:
            data = _read(path, cls.SCHEMA)
            bars = [Bar(**bar) for bar in data.pop("bars")]
            return cls(**data, bars=bars)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{path} is not a file of bench results: {error}") from error


@dataclass(frozen=True)
class Results:
    """One experiment: the question, how and on what it was measured, and every run."""

    SCHEMA: ClassVar = "lightbroker-experiment/1"

    name: str
    question: str
    scale: str
    seed: int
    repetitions: int
    method: list[str]
    machine: dict[str, Any]
    runs: list[Run]

    def write(self, path: Path) -> None:
        """Write JSON, a run a line, through a file beside `path`: an interruption leaves the older results alone."""
        data = {"schema": self.SCHEMA, **asdict(self)}
        runs = ",\n".join(json.dumps(run, allow_nan=False, separators=(",", ":")) for run in data.pop("runs"))
        head = json.dumps(data, allow_nan=False, indent=1).removesuffix("\n}")
        _replace(path, f'{head},\n "runs": [\n{runs}\n]}}\n')

    @classmethod
    def read(cls, path: Path) -> "Results":
        """Read what `write` wrote. Raises ValueError that names the file if it holds anything else."""
        try:
            return cls(**_read(path, cls.SCHEMA))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{path} is not a file of experiment results: {error}") from error


@dataclass(frozen=True)
class Scene:
    """What a notebook saw in the run that is committed, and on what; data: what its figure needs, by name."""

    SCHEMA: ClassVar = "lightbroker-scene/1"

    name: str
    scale: str
    machine: dict[str, Any]
    data: dict[str, Any]

    def write(self, path: Path) -> None:
        """Write JSON, through a file beside `path`; raises TypeError or ValueError for what JSON cannot hold."""
        _replace(path, json.dumps({"schema": self.SCHEMA, **asdict(self)}, allow_nan=False) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Scene":
        """Read what `write` wrote. Raises ValueError that names the file if it holds anything else."""
        try:
            return cls(**_load(path, cls.SCHEMA))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{path} is not a file of a notebook's results: {error}") from error


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


def _read(path: Path, schema: str) -> dict[str, Any]:
    data = _load(path, schema)
    return {**data, "runs": [Run.from_dict(run) for run in data["runs"]]}


def _load(path: Path, schema: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_text())
    found = data.pop("schema")
    if found != schema:
        raise ValueError(f"its schema is {found!r}, not {schema!r}")
    return data
