"""Scenarios of the queues in memory: cost, throughput and latency between threads, memory, and publishing.

Every scenario warms up first and does not measure that. The audit follows after the clock has stopped.
"""

import time
import tracemalloc
from collections.abc import Callable, Sequence
from statistics import median

from lightbroker.lab.measure import load
from lightbroker.lab.measure.arrivals import SHAPES
from lightbroker.lab.measure.audit import Audit, audit, make_bodies
from lightbroker.lab.measure.consumers import Log, serve
from lightbroker.lab.measure.curves import heat, ladder
from lightbroker.lab.measure.handlers import HANDLERS, no_op
from lightbroker.lab.measure.memory import freeze, resident
from lightbroker.lab.measure.message_times import MessageTimes
from lightbroker.lab.measure.results import Config, Measurement
from lightbroker.lab.measure.stats import percentile
from lightbroker.lab.peers.asyncio_queue import AsyncioQueue
from lightbroker.lab.peers.base import STOP, System
from lightbroker.lab.peers.standard import LightBroker, QueueQueue, SimpleQueue
from lightbroker.lab.scenarios import fanout

#: The queues in memory by their names.
SYSTEMS: dict[str, type[System]] = {each.name: each for each in (LightBroker, QueueQueue, SimpleQueue, AsyncioQueue)}
#: What publishes to many subscribers, by the name of the queue that each subscriber has.
FAN_OUTS = {
    "LightBroker": fanout.light_broker,
    "queue.Queue": fanout.queue_queue,
    "queue.SimpleQueue": fanout.simple_queue,
}
BATCH = 100  #: messages for each call
SUBSCRIBERS = 100  #: of the topic that is published to
BURST = 500  #: messages published before the subscribers are emptied
_TAIL = (50, 90, 99, 99.9)  # the percentiles that are kept, in percent
_ALTERNATIONS = 30  # how often the recorder is compared with bare consumers


def cycle(config: Config) -> Measurement:
    """Measure the cost of push, pull and ack, one message at a time on one thread; µs/message."""
    return _one_thread(config, lambda system, bodies, seen: system.cycle(bodies, seen.append))


def batch(config: Config) -> Measurement:
    """Measure the cost of push, pull and ack, 100 messages at a time on one thread; µs/message."""

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
    return Measurement.cost(elapsed, len(bodies), _audit(system, len(bodies), seen))


def closed(config: Config) -> Measurement:
    """Measure the peak throughput of producers and consumers that go as fast as the system lets them; messages/s."""

    def run(system: System, bodies: list[bytes], seen: Sequence[list[bytes]]) -> int:
        shares = _shares(config, bodies)
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
    return Measurement.throughput(elapsed, len(bodies), _audit(system, len(bodies), received, config.consumers))


def service(config: Config) -> Measurement:
    """Measure the peak throughput of consumers that run a handler; messages/s.

    It has no warm-up of its own: the first messages, which warm the system up, are measured too.
    """
    bodies, logs = make_bodies(config.messages), [Log(2 * config.messages) for _ in range(config.consumers)]
    handle, system = HANDLERS[config.handler](config.handler_s), _quiet(config)
    elapsed = load.closed_service(system, _shares(config, bodies), logs, handle)
    received = [body for log in logs for body in log.bodies]
    return Measurement.throughput(elapsed, len(bodies), _audit(system, len(bodies), received, config.consumers))


def open_(config: Config) -> Measurement:
    """Measure the latency from the planned time under an offered load; p99 in µs.

    The latency ends at the receipt, or at the ack if the consumers run a handler.
    """
    if config.rate is None:
        raise ValueError("rate must be given for an open loop")
    handle = None if config.handler == "none" else HANDLERS[config.handler](config.handler_s)
    system = _quiet(config)
    run = load.open_loop(
        system,
        config.rate,
        config.messages,
        config.producers,
        config.consumers,
        arrivals=SHAPES[config.arrivals],
        handle=handle,
        pacer=config.pacer,
    )
    details = {f"send_lag_p{percent}_us": percentile(run.send_lag(config.warmup) / 1e3, percent) for percent in _TAIL}
    if config.pacer:
        timer = (run.ticked - run.planned)[config.warmup :] / 1e3
        details |= {f"timer_p{percent}_us": percentile(timer, percent) for percent in _TAIL}
    return _latency(system, config, run, run.invalid(), details)


def requests(config: Config) -> Measurement:
    """Measure the latency as a closed loop sees it; p99 in µs.

    Each client sends, waits for the answer, and thinks, so that all clients together would offer `rate` if every answer
    came at once.
    """
    if config.rate is None:
        raise ValueError("rate must be given for clients that think")
    handle, system = HANDLERS[config.handler](config.handler_s), _quiet(config)
    think = config.producers / config.rate
    run = load.request_loop(system, config.messages, config.producers, config.consumers, think, handle)
    return _latency(system, config, run, None, {})


def _latency(
    system: System, config: Config, run: MessageTimes, invalid: str | None, further: dict[str, float | None]
) -> Measurement:
    until_ack = config.handler != "none" or config.scenario == "requests"
    latency = (run.response if until_ack else run.latency)(config.warmup) / 1e3
    details = {f"p{percent}_us": percentile(latency, percent) for percent in _TAIL} | further
    details |= {"samples": float(latency.size), "max_us": float(latency.max(initial=0.0))}
    found = _audit(system, config.messages, run.kept, config.consumers)
    curves: dict[str, list[float]] = {}
    if config.curves and found.clean:
        planned = run.planned[config.warmup :]
        curves = ladder(latency) | heat((planned - planned[0]) / 1e9, latency)
    return Measurement(details["p99_us"], "µs (p99)", found, invalid, details, curves)


def recorder(config: Config) -> Measurement:
    """Measure what noting the times costs a consumer; µs/message. Parts with and without it alternate on one thread."""
    costs: dict[str, list[float]] = {"bare": [], "received": [], "acked": []}
    received: list[bytes] = []
    bodies = make_bodies(config.messages)
    for _ in range(_ALTERNATIONS):
        for name, found in costs.items():
            log, system = Log(len(bodies) + 1), _quiet(config)
            _fill(system, (*bodies, STOP))
            start = time.perf_counter_ns()
            if name == "acked":
                serve(system, no_op, log)
            else:
                system.consume(log.record if name == "received" else log.bodies.append)
            found.append((time.perf_counter_ns() - start) / 1e3 / len(bodies))
            received = log.bodies
    found_audit = _audit(system, len(bodies), received, stops=1)
    details: dict[str, float | None] = {"bare_us": median(costs["bare"])}
    for name in ("received", "acked"):
        details[f"{name}_us"] = median(more - bare for more, bare in zip(costs[name], costs["bare"], strict=True))
    return Measurement(details["received_us"], "µs/message", found_audit, details=details)


def memory(config: Config) -> Measurement:
    """Measure the memory of a queued message without its body; bytes/message.

    The value is the larger of two measurements: the growth of the resident set (Linux only), and what `tracemalloc`
    counts for a quarter of the messages. The seconds to queue all messages and to drain them are among the details.
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
    """Measure the cost of publishing to 100 subscribers whose buffers have room; µs/copy.

    The subscribers are emptied while the clock stands.
    """
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


def _shares(config: Config, bodies: list[bytes]) -> list[list[bytes]]:
    """Deal the bodies to the producers in turn."""
    return [bodies[producer :: config.producers] for producer in range(config.producers)]


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
    """Return a new system, made after `freeze`, so that the collector looks at what the system allocates."""
    freeze()
    return _system(config)


def _audit(system: System, sent: int, received: Sequence[bytes], stops: int = 0) -> Audit:
    system.check()
    acked = system.acked(sent + stops)
    system.close()
    return audit(sent, received, None if acked is None else acked - stops)
