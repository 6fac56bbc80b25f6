"""A run's configuration and what it measured, and the JSON files that keep them.

There are three kinds of files: `Bench` (the bench with its bars), `Results` (an experiment of the measuring notebooks)
and `Scene` (what a notebook's figure needs). Each names its schema and describes the machine.
"""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from lightbroker.lab.measure.audit import Audit

_F = TypeVar("_F", bound="_File")


@dataclass(frozen=True)
class Config:
    """The configuration of one run: the scenario, the system under test, and the load.

    Attributes:
        scenario: Of `scenarios.catalogue`.
        system: The name of the system under test.
        messages: How many, with the warm-up where it is cut from the same run.
        warmup: Messages that are not measured.
        capacity: Of the queue, in messages; None is unbounded.
        producers: Threads or processes that send.
        consumers: Threads, tasks or processes that receive.
        rate: Offered load in messages/s; None for a closed loop.
        twin: Whether this is the second of an A/A pair: the same system under a second name.
        batch: Messages for each call.
        arrivals: Of `arrivals.SHAPES`.
        handler: Of `handlers.HANDLERS`; "none" does nothing.
        handler_s: Seconds that the handler takes.
        neighbour: Of `neighbour.NEIGHBOURS`, a load beside the broker.
        pacer: Whether the sender is woken from a process of its own.
        switch_interval_s: Of the interpreter, in seconds; None leaves it at its default.
        curves: Whether to keep the ladder of percentiles and the heat map.
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
        """Return the fields that are not at their default; an earlier revision may not know the others."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name)) != each.default}


@dataclass(frozen=True)
class Measurement:
    """The result of one run.

    Attributes:
        value: The measured value, or None if the samples do not support it.
        unit: The unit of `value`.
        audit: What became of the messages.
        invalid: Why the value must not be used, or None.
        details: Further numbers by name. The name ends with the unit, where there is one.
        curves: Lists of numbers by name, as the module `curves` makes them.
    """

    value: float | None
    unit: str
    audit: Audit
    invalid: str | None = None
    details: dict[str, float | None] = field(default_factory=dict)
    curves: dict[str, list[float]] = field(default_factory=dict)

    @classmethod
    def cost(cls, elapsed_ns: int, messages: int, audit: Audit) -> "Measurement":
        """Make one whose value is the time of a message in µs, from the nanoseconds that all of them took."""
        return cls(elapsed_ns / 1e3 / messages, "µs/message", audit)

    @classmethod
    def throughput(cls, elapsed_ns: int, messages: int, audit: Audit) -> "Measurement":
        """Make one whose value is the throughput in messages/s, from the nanoseconds that all messages took."""
        return cls(messages / elapsed_ns * 1e9, "messages/s", audit)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Measurement":
        """Undo `dataclasses.asdict`.

        Raises:
            TypeError: `data` has a field too many or too few.
            KeyError: `data` has no audit.
        """
        return cls(**{**data, "audit": Audit(**data["audit"])})


@dataclass(frozen=True)
class Run:
    """One process of an experiment: its configuration, and what it measured or the error that prevented it.

    Attributes:
        block: The block that it belongs to; ratios are paired within a block.
        config: What it was asked to measure.
        measurement: What it measured; None if it failed.
        error: Why it failed, or None.
        canary: By how many µs sleeps of 1 ms were late in the waiting parent while the run lasted. This is the noise of
            the machine, which does not depend on the system under test.
    """

    block: int
    config: Config
    measurement: Measurement | None
    error: str | None
    canary: dict[str, float | None]

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Run":
        """Undo `dataclasses.asdict`; raises TypeError or KeyError as `Measurement.from_dict` does."""
        found = data["measurement"]
        measurement = None if found is None else Measurement.from_dict(found)
        return cls(**{**data, "config": Config(**data["config"]), "measurement": measurement})

    @property
    def sound(self) -> bool:
        """Whether it came to an end and every message arrived once."""
        return self.measurement is not None and self.measurement.audit.clean


@dataclass(frozen=True)
class Bar:
    """A target that the bench has to reach, and what was measured.

    Attributes:
        claim: What is compared.
        sense: "at most" or "at least", which the limit is.
        limit: The target, in `unit`, as are the next three.
        unit: The unit, or "ratio".
        measured: The median, or None if it was not measured.
        low: The lower end of the 95 % interval, or of the range of the runs; None if it was not measured.
        high: The upper end, likewise.
        met: Whether the target was reached; None if it was not measured.
        verdict: The result in words.
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


class _File:
    """A kind of file: its schema, and a reader that names the file it cannot read."""

    SCHEMA: ClassVar[str]
    HOLDS: ClassVar[str]  # in words, for an error

    @classmethod
    def read(cls: type[_F], path: Path) -> _F:
        """Read what `write` wrote.

        Raises:
            ValueError: The file holds something else; the text names the file.
            OSError: The file cannot be read.
        """
        try:
            data: dict[str, Any] = json.loads(path.read_text())
            schema = data.pop("schema")
            if schema != cls.SCHEMA:
                raise ValueError(f"its schema is {schema!r}, not {cls.SCHEMA!r}")
            return cls(**cls._parsed(data))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{path} is not a file of {cls.HOLDS}: {error}") from error

    @classmethod
    def _parsed(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of the class for what JSON holds: the same, but for the runs."""
        return {**data, "runs": [Run.from_dict(run) for run in data["runs"]]}


@dataclass(frozen=True)
class Bench(_File):
    """A run of the bench: everything that its tables and its figures need.

    Attributes:
        scale: "full", which is committed, or "quick".
        seed: Of the order of the runs and of the bootstrap.
        repetitions: How many blocks were run.
        method: How it was measured, in sentences.
        machine: What it was measured on, as `machine.describe` says.
        promises: What each system promises, by its name.
        runs: Every run.
        bars: The targets and what was reached.
        skipped: Systems that could not be measured here, with the reason.
    """

    SCHEMA: ClassVar = "lightbroker-bench/1"
    HOLDS: ClassVar = "bench results"

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
        """Write JSON. An interruption leaves the older file as it was."""
        _replace(path, json.dumps({"schema": self.SCHEMA, **asdict(self)}, indent=1, allow_nan=False) + "\n")

    @classmethod
    def _parsed(cls, data: dict[str, Any]) -> dict[str, Any]:
        return {**super()._parsed(data), "bars": [Bar(**bar) for bar in data["bars"]]}


@dataclass(frozen=True)
class Results(_File):
    """An experiment: the question, how and on what it was measured, and every run.

    Attributes:
        name: Of the experiment, and of its file.
        question: What it asks. The other fields are those of `Bench`.
    """

    SCHEMA: ClassVar = "lightbroker-experiment/1"
    HOLDS: ClassVar = "experiment results"

    name: str
    question: str
    scale: str
    seed: int
    repetitions: int
    method: list[str]
    machine: dict[str, Any]
    runs: list[Run]

    def write(self, path: Path) -> None:
        """Write JSON, one line for each run. An interruption leaves the older file as it was."""
        data = {"schema": self.SCHEMA, **asdict(self)}
        runs = ",\n".join(json.dumps(run, allow_nan=False, separators=(",", ":")) for run in data.pop("runs"))
        head = json.dumps(data, allow_nan=False, indent=1).removesuffix("\n}")
        _replace(path, f'{head},\n "runs": [\n{runs}\n]}}\n')


@dataclass(frozen=True)
class Scene(_File):
    """The numbers of a notebook that its figure is drawn from.

    Attributes:
        name: Of the scene, and of its file.
        scale: "full", which is committed, or "quick".
        machine: What it ran on, as `machine.describe` says.
        data: What its figure needs, by name.
    """

    SCHEMA: ClassVar = "lightbroker-scene/1"
    HOLDS: ClassVar = "a notebook's results"

    name: str
    scale: str
    machine: dict[str, Any]
    data: dict[str, Any]

    def write(self, path: Path) -> None:
        """Write JSON. An interruption leaves the older file as it was.

        Raises:
            TypeError: JSON cannot hold the data.
            ValueError: A number is infinite or not a number.
        """
        _replace(path, json.dumps({"schema": self.SCHEMA, **asdict(self)}, allow_nan=False) + "\n")

    @classmethod
    def _parsed(cls, data: dict[str, Any]) -> dict[str, Any]:
        return data


def _replace(path: Path, text: str) -> None:
    """Write a file beside `path`, then put it in its place in one step, so that no half-written file is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)
