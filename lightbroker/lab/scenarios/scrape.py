"""The cost of watching a broker through its metrics server.

    python -m lightbroker.lab.scenarios.scrape [--quick] [--out figures/data/metrics.json]

The scenarios are:

    closed, open   throughput and latency without a metrics server, and with one that is scraped every second
    pool           throughput of a worker pool that records its times, and of one whose tallies do nothing
    health         latency of /health while the broker carries 10,000 messages/s, and the same beside 200 slow or
                   broken connections

Each run is a process of its own, and so is each client. Runs that are compared follow each other in seeded random
order, with an A/A pair to show the noise. The clients work on the same cores, and their work is part of what is
measured.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lightbroker.core.histogram import Tally
from lightbroker.lab.measure import load, machine
from lightbroker.lab.measure.audit import audit, make_bodies
from lightbroker.lab.measure.stats import median_interval, paired_ratios, percentile
from lightbroker.lab.peers.standard import LightBroker
from lightbroker.lab.scenarios import experiment
from lightbroker.server import MetricsServer

SCHEMA = "lightbroker-metrics/1"
SCRAPE_INTERVAL = 1.0  #: seconds from one scrape to the next
PROBE_RATE = 100.0  #: requests/s for the health
SLOW_CLIENTS = 200  #: slow or broken connections
RATE = 10_000  #: messages/s of the open loops
PRODUCERS, CONSUMERS = 10, 100  #: threads
_TIMEOUT = 300.0  # seconds after which a run is given up
METHOD = [
    "Every run is a process of its own, in seeded random order within blocks; its clients are processes beside it.",
    f"{PRODUCERS} producers, {CONSUMERS} consumers or workers, bodies of 100 bytes; open loops at {RATE:,}/s.",
    f"Scraped: GET /metrics every {SCRAPE_INTERVAL:g} s on one connection. A plain run has no server at all.",
    f"Crowded: {SLOW_CLIENTS} connections, a quarter each of which sends nothing, a byte every half second, half a "
    "request, and 20 requests whose responses it never reads. A connection that the server closes is replaced.",
    f"GET /health comes {PROBE_RATE:g} times a second, each on a new connection; latency is from the planned time.",
    "Ratios are paired within a block; intervals are 95 % bootstrap intervals of the median over the runs.",
]


@dataclass(frozen=True)
class WatchConfig:
    """The configuration of one run.

    Attributes:
        scenario: "closed", "open", "pool" or "health".
        variant: "plain"; "twin", the same under a second name; "scraped"; "unrecorded", without tallies; "crowded",
            with slow connections.
        messages: How many.
    """

    scenario: str
    variant: str
    messages: int


@dataclass(frozen=True)
class WatchRun:
    """One run: its configuration, and the result or the error that prevented it.

    Attributes:
        block: The block that it belongs to; ratios are paired within a block.
        config: What it was asked to measure.
        value: The measured value, or None if it must not be used.
        unit: The unit of `value`.
        audit: What became of the messages.
        details: Further numbers by name.
        error: Why it failed, or None.
    """

    block: int
    config: WatchConfig
    value: float | None = None
    unit: str = ""
    audit: dict[str, Any] | None = None
    details: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


def plan(quick: bool) -> list[list[WatchConfig]]:
    """Return the runs of one block, in groups that are compared with each other."""
    closed, opened, pool, health = (
        (100_000, 20_000, 20_000, 30_000) if quick else (1_000_000, 60_000, 300_000, 1_050_000)
    )
    return [
        [WatchConfig("closed", variant, closed) for variant in ("plain", "twin", "scraped")],
        [WatchConfig("open", variant, opened) for variant in ("plain", "twin", "scraped")],
        [WatchConfig("pool", variant, pool) for variant in ("plain", "twin", "unrecorded")],
        [WatchConfig("health", variant, health) for variant in ("plain", "crowded")],
    ]


@contextmanager
def client(kind: str, url: str, number: float, counted: dict[str, Any]) -> Iterator[None]:
    """Return a context with a client in a process of its own.

    Args:
        kind: Of `metrics_clients.KINDS`.
        url: Of the metrics server.
        number: What that client takes as NUMBER.
        counted: Receives what the client counted, when the context ends.
    """
    command = (sys.executable, "-m", "lightbroker.lab.scenarios.metrics_clients", kind, url, str(number))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            out, _ = process.communicate(timeout=60)
    counted.update(json.loads(out))


def measure(config: WatchConfig) -> dict[str, Any]:
    """Measure one configuration in this process; return the value, its unit, the audit and the details."""
    bodies, system, details, probed = make_bodies(config.messages), LightBroker(), dict[str, Any](), dict[str, Any]()
    with ExitStack() as stack:
        if config.scenario == "health" or config.variant == "scraped":
            url = stack.enter_context(MetricsServer(system.broker)).url
            if config.variant == "scraped":
                stack.enter_context(client("scrape", url, SCRAPE_INTERVAL, details))
            if config.variant == "crowded":
                stack.enter_context(client("slow", url, SLOW_CLIENTS, details))
            if config.scenario == "health":
                stack.enter_context(client("probe", url, PROBE_RATE, probed))
        value, unit, received, stops = _SCENARIOS[config.scenario](config, system, bodies, details)
    if probed:
        latencies = probed.pop("latencies_ms")
        details |= {"messages_p99_us": value, "health_samples": len(latencies), "health_max_ms": max(latencies)}
        details |= {"health_p50_ms": percentile(latencies, 50), "health_failed": probed["failed"]}
        value, unit = percentile(latencies, 99), "ms (p99 of /health)"
    system.check()
    found = audit(len(bodies), received, system.broker.stats().queues["bench"].acked - stops)
    system.close()
    return {"value": value, "unit": unit, "audit": asdict(found), "details": details}


# A value, its unit, the bodies that were received, and how many STOPs were acked besides.
_Found = tuple[float | None, str, Sequence[bytes], int]


def _closed(config: WatchConfig, system: LightBroker, bodies: list[bytes], details: dict[str, Any]) -> _Found:
    seen: list[list[bytes]] = [[] for _ in range(CONSUMERS)]
    shares = [bodies[producer::PRODUCERS] for producer in range(PRODUCERS)]
    elapsed = load.closed_loop(system, shares, [each.append for each in seen])
    return len(bodies) / elapsed * 1e9, "messages/s", [body for each in seen for body in each], CONSUMERS


def _open(config: WatchConfig, system: LightBroker, bodies: list[bytes], details: dict[str, Any]) -> _Found:
    run = load.open_loop(system, RATE, config.messages, PRODUCERS, CONSUMERS)
    details["invalid"] = run.invalid()
    p99 = percentile(run.latency(RATE // 4) / 1e3, 99)
    return None if details["invalid"] else p99, "µs (p99)", run.kept, CONSUMERS


def _pool(config: WatchConfig, system: LightBroker, bodies: list[bytes], details: dict[str, Any]) -> _Found:
    if config.variant == "unrecorded":
        Tally.record = lambda tally, seconds: None  # type: ignore[method-assign, assignment]
    seen: list[bytes] = []
    with system.broker.workers("bench", lambda message: seen.append(message.body), CONSUMERS):
        start = time.perf_counter_ns()
        for at in range(0, len(bodies), 100):
            system.queue.push_many(bodies[at : at + 100])
        while system.queue.stats().acked < len(bodies):
            time.sleep(0.001)
        elapsed = time.perf_counter_ns() - start
    return len(bodies) / elapsed * 1e9, "messages/s", seen, 0


_SCENARIOS = {"closed": _closed, "open": _open, "pool": _pool, "health": _open}


def run(block: int, config: WatchConfig) -> WatchRun:
    """Measure one configuration in a process of its own."""
    command = (sys.executable, "-m", "lightbroker.lab.scenarios.scrape", "--run", json.dumps(asdict(config)))
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=True)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        return WatchRun(block, config, error=f"{error}: {str(error.stderr)[-2000:]}")
    return WatchRun(block, config, **json.loads(done.stdout))


def findings(runs: Sequence[WatchRun], seed: int) -> list[dict[str, Any]]:
    """Return the median and the interval of each ratio to the plain variant; for the health, of the value itself."""

    def values(scenario: str, variant: str) -> dict[int, float]:
        chosen = (run for run in runs if (run.config.scenario, run.config.variant) == (scenario, variant))
        return {run.block: run.value for run in chosen if run.value is not None}

    found = []
    for scenario, variant in dict.fromkeys((run.config.scenario, run.config.variant) for run in runs):
        numbers, claim, unit = list(values(scenario, variant).values()), f"{scenario}, {variant}", "ms (p99)"
        if scenario != "health":
            numbers = paired_ratios(values(scenario, variant), values(scenario, "plain"))
            claim, unit = f"{claim} / plain", "ratio of the p99" if scenario == "open" else "ratio of the throughput"
            if variant == "plain":
                continue
        interval = median_interval(numbers, seed)._asdict() if numbers else {}
        found.append({"claim": claim, "unit": unit, "runs": len(numbers), **interval})
    return sorted(found, key=lambda each: each["claim"])


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the findings and write the file; return 0 if no run failed, lost a message or got a bad answer."""
    parser = argparse.ArgumentParser(
        prog="python -m lightbroker.lab.scenarios.scrape", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--quick", action="store_true", help="about a minute; not the committed scale")
    parser.add_argument("--repetitions", type=int, metavar="N", help="blocks (default: 5; with --quick 1)")
    parser.add_argument(
        "--out", type=Path, metavar="PATH", help="write every run, the machine and the findings as JSON"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the order and of the bootstrap (default: 1)")
    parser.add_argument("--run", help=argparse.SUPPRESS)  # one configuration: this is the process that measures it
    options = parser.parse_args(argv)
    if options.run:
        print(json.dumps(measure(WatchConfig(**json.loads(options.run))), allow_nan=False))
        return 0
    before = machine.describe()
    repetitions = options.repetitions or (1 if options.quick else 5)
    runs = []
    for block, config in experiment.schedule(plan(options.quick), repetitions, options.seed):
        runs.append(run(block, config))
        print(block, config.scenario, config.variant, runs[-1].error or f"{runs[-1].value} {runs[-1].unit}")
    found = findings(runs, options.seed)
    for each in found:
        print(*(f"{name} {value}" for name, value in each.items()), sep="; ")
    if options.out:
        scale = "quick" if options.quick else "full"
        about = {"schema": SCHEMA, "scale": scale, "seed": options.seed, "repetitions": repetitions, "method": METHOD}
        result = {**about, "machine": before, "findings": found, "runs": [asdict(each) for each in runs]}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    return 0 if all(_sound(each) for each in runs) else 1


def _sound(run: WatchRun) -> bool:
    found = run.audit
    return found is not None and not (
        found["lost"] or found["duplicated"] or found["unknown"] or run.details.get("failed")
    )


if __name__ == "__main__":
    sys.exit(main())
