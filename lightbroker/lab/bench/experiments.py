"""The experiments of the measuring notebooks: the question of each, and the runs that answer it.

`make experiments` measures them (`campaign`). The results of an experiment are `figures/data/NAME.json`.
"""

from dataclasses import dataclass, replace

from lightbroker.lab.bench.systems import LIGHT, QUEUE
from lightbroker.lab.measure.arrivals import SHAPES
from lightbroker.lab.measure.results import Config

CONSUMERS = (1, 2, 4, 8, 16, 32, 64, 100)  #: numbers of consumers
SWITCH_INTERVALS_S = (0.0001, 0.0005, 0.001, 0.005, 0.02, 0.1)
RATES = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 150_000, 200_000)  #: offered messages/s
HANDLER_S = {"sleeping": 0.001, "computing": 0.0002}  #: seconds a message, by what the handler does
PAUSE_S = 0.2  #: seconds that a server pauses, once in every ten times as long

_BUSY_SWITCH_S = 0.0005  # a shorter switch interval: one way to help if a neighbour computes
_START_S = 1.2  # of a process and its warm-up
_WARMUP_S = 0.25
_SAMPLES = 10_000  # as many as a p99 needs
_PRODUCERS = 10
# Messages/s that the closed loop is expected to pass; only the estimated time depends on it.
_GUESS = {LIGHT: 200_000.0, QUEUE: 20_000.0}


@dataclass(frozen=True)
class Experiment:
    """A question and the runs that answer it.

    Attributes:
        name: Also the name of its file of results.
        question: In words.
        repetitions: How many blocks; each block holds every configuration once.
        configs: What is compared with each other.
    """

    name: str
    question: str
    repetitions: int
    configs: tuple[Config, ...]

    @property
    def seconds(self) -> float:
        """About how many seconds it takes to measure."""
        return self.repetitions * sum(map(expected_seconds, self.configs))


def expected_seconds(config: Config) -> float:
    """Return about how many seconds a run takes, for the progress bar and the promise of 45 minutes in all."""
    if config.rate is not None:
        return _START_S + config.messages / config.rate
    if config.scenario == "service":
        parallel = config.consumers if config.handler == "sleeping" else 1
        return _START_S + config.messages * config.handler_s / parallel
    if config.scenario == "recorder":
        return _START_S + 90 * config.messages * 2e-6
    return _START_S + config.messages / _GUESS[config.system]


def experiments(*, quick: bool = False) -> tuple[Experiment, ...]:
    """Return the experiments in the order in which they are measured.

    Args:
        quick: A tenth of the messages, and each run once: that shows that it works, but its numbers mean nothing.
    """
    share = 0.1 if quick else 1.0
    repetitions = 1 if quick else 5
    found = (
        ("consumers", "What do more consumers do to the throughput?", _consumers(share)),
        ("switch-interval", "What does the interpreter's switch interval do to the throughput?", _switching(share)),
        ("handlers", "When do more consumers help: if handlers wait, or if they compute?", _handlers(share)),
        ("hockey-stick", "What does the offered load do to the latency?", _rates(share)),
        ("coordinated-omission", "Who sees the pauses of a server: the open loop or the closed one?", _pauses(share)),
        ("arrivals", "What does the shape of the arrivals do to the latency, at the same rate?", _arrivals(share)),
        ("neighbour", "What does a neighbour that computes do to the latency, and what helps?", _neighbours(share)),
        ("pacer", "How much of the latency is the timer, and how much the wait for the GIL?", _pacers(share)),
        ("recorder", "What does the recorder itself cost?", [Config("recorder", LIGHT, 5_000, 0)]),
    )
    return tuple(Experiment(name, question, repetitions, tuple(configs)) for name, question, configs in found)


# Each of the following takes the share of the full number of messages, from 0 to 1.


def _closed(system: str, share: float, consumers: int) -> Config:
    messages = int({LIGHT: 300_000, QUEUE: 100_000}[system] * share)
    return Config("closed", system, messages, messages // 20, None, _PRODUCERS, consumers)


def _consumers(share: float) -> list[Config]:
    every = [_closed(system, share, consumers) for consumers in CONSUMERS for system in (LIGHT, QUEUE)]
    return [*every, replace(every[-2], twin=True)]


def _switching(share: float) -> list[Config]:
    return [
        replace(_closed(system, share, 100), switch_interval_s=interval)
        for interval in SWITCH_INTERVALS_S
        for system in (LIGHT, QUEUE)
    ]


def _handlers(share: float) -> list[Config]:
    found = []
    for consumers in (1, 4, 16, 64, 100):
        for handler, seconds in HANDLER_S.items():
            parallel = consumers if handler == "sleeping" else 1
            messages = int(share * 2.0 / seconds * parallel)  # a run of two seconds
            found.append(Config("service", LIGHT, messages, 0, None, 1, consumers, handler=handler, handler_s=seconds))
    return found


def _open(rate: float, share: float, system: str = LIGHT, *, seconds: float = 2.0) -> Config:
    warmup = int(rate * _WARMUP_S)
    samples = int(max(_SAMPLES, rate * seconds) * share)
    return Config("open", system, warmup + samples, warmup, None, 1, 100, rate)


def _rates(share: float) -> list[Config]:
    # Poisson arrivals, as the theory in the figure assumes.
    stick = [replace(_open(rate, share, system), arrivals="poisson") for rate in RATES for system in (LIGHT, QUEUE)]
    # The theory needs a service time: the time a message takes when the system is saturated, in a closed loop.
    ceiling = replace(_closed(LIGHT, share, 100), producers=1)
    twin = replace(_open(10_000, share), arrivals="poisson", twin=True)
    return [*stick, ceiling, twin]


def _pauses(share: float) -> list[Config]:
    rate = 1_000.0
    loop = Config("open", LIGHT, int(12_000 * share), 0, None, 1, 1, rate, curves=True)
    loop = replace(loop, handler="pausing", handler_s=PAUSE_S)
    return [loop, replace(loop, scenario="requests")]


def _arrivals(share: float) -> list[Config]:
    base = replace(_open(10_000, share, seconds=4.0), curves=True)
    return [replace(base, arrivals=shape) for shape in SHAPES]


def _neighbours(share: float) -> list[Config]:
    base = replace(_open(1_000, share), curves=True)
    busy = replace(base, neighbour="computing")
    remedies = [
        replace(busy, switch_interval_s=_BUSY_SWITCH_S),
        replace(base, neighbour="yielding"),
        replace(base, neighbour="process"),
    ]
    return [base, busy, *remedies]


def _pacers(share: float) -> list[Config]:
    base = _open(10_000, share)
    return [base, replace(base, pacer=True), replace(base, pacer=True, neighbour="computing", rate=1_000.0)]
