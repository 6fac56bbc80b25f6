"""Which runs compare the memory store with the queues of the standard library, in groups that run side by side."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lightbroker.lab.bench.systems import LIGHT, QUEUE
from lightbroker.lab.measure.results import Config
from lightbroker.lab.scenarios.in_memory import BURST, FAN_OUTS, SYSTEMS

BOUND = 1_000  #: messages, the capacity of a bounded queue
SCENARIOS = ("cycle", "batch", "closed", "open", "memory", "publish")
TAIL_RATE = 10_000  #: messages/s, the load of the bar on the p99, which asks for ten runs
_OPEN_CONSUMERS = 100
_OPEN_WARMUP_S = 0.25


@dataclass(frozen=True)
class Scale:
    """How much of everything is measured.

    Attributes:
        name: `full` or `quick`.
        repetitions: How many blocks; each block holds every configuration.
        systems: The names of the systems that are compared.
        cycle_messages: Messages of a run of `cycle` and `batch`.
        closed_messages: Messages of a closed loop, by system: fast systems need more of them for a run of a second.
        closed_shapes: Numbers of producers and consumers of the closed loops, in groups that run side by side.
        closed_bounds: Capacities of the queue in the closed loops, in messages; None is unbounded.
        open_loads: The open loops: messages/s, producers, and messages beyond the warm-up.
        tail_runs: How often LightBroker runs in each block at `TAIL_RATE`.
        queued_messages: Messages that are queued at once, to measure the memory that they take.
        published_messages: Messages that are published to a hundred subscribers.
        twins: The scenarios that have an A/A pair.
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
    # The ratio of a hundred consumers to one is a bar, so the two run side by side.
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
    """Return the groups of configurations, by the name of their scenario."""
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
    """Return a run of each system on one thread, one message or one batch at a time."""
    messages = scale.cycle_messages
    group = [Config(scenario, name, messages, messages // 10) for name in scale.systems]
    return group + [replace(config, twin=True) for config in group[:1] if scenario in scale.twins]


def _closed(scale: Scale, bound: int | None, shapes: Sequence[tuple[int, int]]) -> list[Config]:
    """Return a closed loop of each system for each shape; ten producers with one consumer are LightBroker's alone."""
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
    """Return an open loop of each system at one rate, LightBroker more often at the rate of the bar."""
    warmup = int(rate * _OPEN_WARMUP_S)
    messages = warmup + samples
    group = [Config("open", name, messages, warmup, None, producers, _OPEN_CONSUMERS, rate) for name in scale.systems]
    if rate != TAIL_RATE:
        return group
    light = [config for config in group if config.system == LIGHT]
    twins = [replace(config, twin=True) for config in light if "open" in scale.twins]
    return group + light * (scale.tail_runs - 1) + twins
