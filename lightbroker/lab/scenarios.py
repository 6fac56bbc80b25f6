"""What one process measures. Every scenario warms up, discards that, and audits after the clock has stopped."""

import time
import tracemalloc
from collections.abc import Callable, Sequence

from lightbroker.lab import exchange, fanout, load
from lightbroker.lab.audit import Audit, audit, make_bodies
from lightbroker.lab.peers.aio import AsyncioQueue
from lightbroker.lab.peers.base import STOP, System
from lightbroker.lab.peers.standard import LightBroker, QueueQueue, SimpleQueue
from lightbroker.lab.process import freeze, resident
from lightbroker.lab.results import Config, Measurement
from lightbroker.lab.stats import percentile

SYSTEMS: dict[str, type[System]] = {each.name: each for each in (LightBroker, QueueQueue, SimpleQueue, AsyncioQueue)}
FAN_OUTS = {
    "LightBroker": fanout.light_broker,
    "queue.Queue": fanout.queue_queue,
    "queue.SimpleQueue": fanout.simple_queue,
}
BATCH = 100  #: messages
SUBSCRIBERS = 100
BURST = 500  #: messages published before the subscribers are emptied


def measure(config: Config) -> Measurement:
    """Run the scenario that the configuration names, in this process."""
    return _SCENARIOS[config.scenario](config)


def cycle(config: Config) -> Measurement:
    """Push, pull and ack one message at a time on one thread; µs a message."""
    return _one_thread(config, lambda system, bodies, seen: system.cycle(bodies, seen.append))


def batch(config: Config) -> Measurement:
    """Push, pull and ack 100 messages at a time on one thread; µs a message."""

    def run(system: System, bodies: list[bytes], seen: list[bytes]) -> None:
        system.batch([bodies[at : at + BATCH] for at in range(0, len(bodies), BATCH)], seen.append)

    return _one_thread(config, run)


def _one_thread(config: Config, run: Callable[[System, list[bytes], list[bytes]], None]) -> Measurement:
    run(_system(config), make_bodies(config.warmup), [])
    bodies, system = make_bodies(config.messages), _quiet(config)
    seen: list[bytes] = []
    start = time.perf_counter_ns()
    run(system, bodies, seen)
    elapsed = time.perf_counter_ns() - start
    return Measurement(elapsed / 1e3 / len(bodies), "µs/message", _audit(system, len(bodies), seen))


def closed(config: Config) -> Measurement:
    """Peak throughput of producers and consumers that go as fast as the system lets them; messages/s."""

    def run(system: System, bodies: list[bytes], seen: Sequence[list[bytes]]) -> int:
        shares = [bodies[p :: config.producers] for p in range(config.producers)]
        records = [each.append for each in seen]
        if isinstance(system, AsyncioQueue):
            return system.closed_loop(shares, records)
        return load.closed_loop(system, shares, records)

    run(_system(config), make_bodies(config.warmup), [[] for _ in range(config.consumers)])
    bodies: list[bytes] = make_bodies(config.messages)
    seen: list[list[bytes]] = [[] for _ in range(config.consumers)]
    system = _quiet(config)
    elapsed = run(system, bodies, seen)
    received = [body for each in seen for body in each]
    return Measurement(
        len(bodies) / elapsed * 1e9, "messages/s", _audit(system, len(bodies), received, config.consumers)
    )


def open_(config: Config) -> Measurement:
    """Latency from the planned time under a constant offered load; p99 in µs."""
    if config.rate is None:
        raise ValueError("rate must be given for an open loop")
    system = _quiet(config)
    run = load.open_loop(system, config.rate, config.messages, config.producers, config.consumers)
    latency, lag = run.latency(config.warmup) / 1e3, run.send_lag(config.warmup) / 1e3
    details: dict[str, float | None] = {"samples": latency.size, "max_us": float(latency.max(initial=0.0))}
    for percent in (50, 90, 99, 99.9):
        details[f"p{percent}_us"] = percentile(latency, percent)
        details[f"send_lag_p{percent}_us"] = percentile(lag, percent)
    found = _audit(system, config.messages, run.kept, config.consumers)
    return Measurement(details["p99_us"], "µs (p99)", found, run.invalid(), details)


def memory(config: Config) -> Measurement:
    """Bytes that a queued message costs beyond its body, which exists already, and the time to queue and drain all.

    The value is the larger of two measurements: growth of the resident set (Linux only), and `tracemalloc` over a
    quarter of the messages.
    """
    bodies = make_bodies(config.messages)
    _fill_and_drain(_system(config), bodies[: config.warmup])
    system = _quiet(config)
    before, start = resident(), time.perf_counter()
    _fill(system, bodies)
    filled, after = time.perf_counter(), resident()
    seen: list[bytes] = []
    system.put(STOP)
    system.consume(seen.append)
    drained = time.perf_counter()
    found = _audit(system, len(bodies), seen, stops=1)

    system, part = _quiet(config), bodies[: len(bodies) // 4]
    tracemalloc.start()
    _fill(system, part)
    traced = tracemalloc.get_traced_memory()[0] / len(part)
    tracemalloc.stop()
    growth = None if before is None or after is None else (after - before) / len(bodies)
    details = {"rss_bytes": growth, "traced_bytes": traced, "fill_s": filled - start, "drain_s": drained - filled}
    return Measurement(max(traced, growth or 0.0), "bytes/message", found, details=details)


def publish(config: Config) -> Measurement:
    """Publish to 100 subscribers whose buffers have room; µs a copy. Subscribers are emptied off the clock."""
    build = FAN_OUTS[config.system]
    _publish(build(SUBSCRIBERS, BURST), make_bodies(config.warmup))
    bodies = make_bodies(config.messages)
    freeze()
    elapsed, found = _publish(build(SUBSCRIBERS, BURST), bodies)
    return Measurement(elapsed / 1e3 / found.sent, "µs/copy", found)


def _publish(topic: fanout.FanOut, bodies: Sequence[bytes]) -> tuple[int, Audit]:
    elapsed = copies = 0
    seen: list[list[bytes]] = [[] for _ in topic.takes]
    for at in range(0, len(bodies), BURST):
        burst = bodies[at : at + BURST]
        start = time.perf_counter_ns()
        for body in burst:
            copies += topic.publish(body)
        elapsed += time.perf_counter_ns() - start
        for take, each in zip(topic.takes, seen, strict=True):
            each.extend(take() for _ in burst)
    topic.check()
    if copies != len(bodies) * len(seen):
        raise RuntimeError(f"{copies} copies were accepted of {len(bodies)} messages for {len(seen)} subscribers")
    first, *others = (audit(len(bodies), each, None) for each in seen)
    return elapsed, sum(others, first)


def _fill(system: System, bodies: Sequence[bytes]) -> None:
    put = system.put
    for body in bodies:
        put(body)


def _fill_and_drain(system: System, bodies: Sequence[bytes]) -> None:
    _fill(system, (*bodies, STOP))
    system.consume(bytes)


def _system(config: Config) -> System:
    return SYSTEMS[config.system](config.capacity)


def _quiet(config: Config) -> System:
    """A fresh system, built after `freeze`."""
    freeze()
    return _system(config)


def _audit(system: System, sent: int, received: Sequence[bytes], stops: int = 0) -> Audit:
    system.check()
    acked = system.acked(sent + stops)
    system.close()
    return audit(sent, received, None if acked is None else acked - stops)


_SCENARIOS = {
    **{"cycle": cycle, "batch": batch, "closed": closed, "open": open_, "memory": memory, "publish": publish},
    **{"process": exchange.process, "processes": exchange.processes, "depth": exchange.depth},
}
