"""Which runs the bench makes, in groups that are compared with each other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lightbroker.lab.measure.results import Config
from lightbroker.lab.scenarios.catalogue import BURST, FAN_OUTS, SYSTEMS

LIGHT = "LightBroker"
QUEUE = "queue.Queue"
BOUND = 1_000
SCENARIOS = ("cycle", "batch", "closed", "open", "memory", "publish")
TAIL_RATE = 10_000  #: messages/s, the load of the bar that asks for ten runs
_OPEN_CONSUMERS = 100
_OPEN_WARMUP_S = 0.25


@dataclass(frozen=True)
class Scale:
    """How much of everything, in messages.

    closed_messages: by system, since a run has to last long enough; open_loads: rate in messages/s, producers, and
    messages beyond the warm-up; tail_runs: of LightBroker in each block at TAIL_RATE; twins: the scenarios that have
    an A/A pair.
    """

    name: str
    repetitions: int
    systems: tuple[str, ...]
    cycle_messages: int
    closed_messages: dict[str, int]
    closed_shapes: tuple[tuple[tuple[int, int], ...], ...]
    closed_bounds: tuple[int | None, ...]
    open_loads: tuple[tuple[int, int, int], ...]
    tail_runs: int
    queued_messages: int
    published_messages: int
    twins: tuple[str, ...]


FULL = Scale(
    name="full",
    repetitions=5,
    systems=tuple(SYSTEMS),
    cycle_messages=300_000,
    closed_messages={LIGHT: 300_000, QUEUE: 100_000, "queue.SimpleQueue": 500_000, "asyncio.Queue": 200_000},
    # One consumer and a hundred stand in one group, because their ratio is a bar.
    closed_shapes=(((1, 1), (1, 100)), ((4, 4),), ((10, 1), (10, 100))),
    closed_bounds=(None, BOUND),
    open_loads=tuple(
        (rate, producers, samples)
        for rate, samples in ((1_000, 10_000), (TAIL_RATE, 15_000), (50_000, 100_000), (100_000, 100_000))
        for producers in (1, 10)
    ),
    tail_runs=2,
    queued_messages=1_000_000,
    published_messages=20 * BURST,
    twins=("cycle", "closed", "open"),
)
QUICK = Scale(
    name="quick",
    repetitions=3,
    systems=(LIGHT, QUEUE),
    cycle_messages=100_000,
    closed_messages={LIGHT: 100_000, QUEUE: 100_000},
    closed_shapes=(((1, 1), (1, 100)), ((10, 1), (10, 100))),
    closed_bounds=(None,),
    open_loads=((TAIL_RATE, 1, 10_000), (TAIL_RATE, 10, 10_000), (50_000, 10, 50_000)),
    tail_runs=1,
    queued_messages=200_000,
    published_messages=4 * BURST,
    twins=("cycle",),
)


def groups(scale: Scale) -> dict[str, list[list[Config]]]:
    """The groups of each scenario, by its name."""
    fan_outs = [name for name in scale.systems if name in FAN_OUTS]
    return {
        "cycle": [_cycle(scale, "cycle")],
        "batch": [_cycle(scale, "batch")],
        "closed": [_closed(scale, bound, shapes) for bound in scale.closed_bounds for shapes in scale.closed_shapes],
        "open": [_open(scale, *load) for load in scale.open_loads],
        "memory": [[Config("memory", name, scale.queued_messages, 10_000) for name in fan_outs]],
        "publish": [[Config("publish", name, scale.published_messages, BURST) for name in fan_outs]],
    }


def _cycle(scale: Scale, scenario: str) -> list[Config]:
    messages = scale.cycle_messages
    group = [Config(scenario, name, messages, messages // 10) for name in scale.systems]
    return group + [replace(config, twin=True) for config in group[:1] if scenario in scale.twins]


def _closed(scale: Scale, bound: int | None, shapes: Sequence[tuple[int, int]]) -> list[Config]:
    group = []
    for name in scale.systems:
        if bound is not None and not SYSTEMS[name].promises.bounded:
            continue
        messages = scale.closed_messages[name]
        config = Config("closed", name, messages, messages // 20, bound)
        group += [replace(config, producers=p, consumers=c) for p, c in shapes if name == LIGHT or (p, c) != (10, 1)]
        if name == LIGHT and bound is None and (10, 100) in shapes and "closed" in scale.twins:
            group.append(replace(config, producers=10, consumers=100, twin=True))
    return group


def _open(scale: Scale, rate: int, producers: int, samples: int) -> list[Config]:
    warmup = int(rate * _OPEN_WARMUP_S)
    messages = warmup + samples
    group = [Config("open", name, messages, warmup, None, producers, _OPEN_CONSUMERS, rate) for name in scale.systems]
    if rate != TAIL_RATE:
        return group
    light = [config for config in group if config.system == LIGHT]
    twins = [replace(config, twin=True) for config in light if "open" in scale.twins]
    return group + light * (scale.tail_runs - 1) + twins
