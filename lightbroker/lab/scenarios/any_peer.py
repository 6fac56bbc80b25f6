"""Scenarios that any peer can be measured in: one process, several processes, a deep queue.

The warm-up goes through the same peer before the clock starts.
"""

import time
from collections.abc import Sequence
from statistics import median

from lightbroker.lab.measure.audit import Audit, audit, make_bodies
from lightbroker.lab.measure.memory import freeze
from lightbroker.lab.measure.results import Config, Measurement
from lightbroker.lab.peers.base import Stored
from lightbroker.lab.peers.catalogue import load
from lightbroker.lab.peers.standard import BrokerPeer
from lightbroker.lab.scenarios import sharing

SHALLOW = 1_000  #: messages in the queue that a deep one is compared with
_PULLS = 100  # pulls that are timed together: a turn
_DEPTH_NS = 300_000_000  # nanoseconds that the pulls from each queue must take in all


def process(config: Config) -> Measurement:
    """Measure the cost of sending, receiving and acking on one thread, `batch` messages at a time; µs/message."""
    bodies = make_bodies(config.warmup + config.messages)
    seen: list[bytes] = []
    with load(config.system).open() as peer:

        def run(bodies: Sequence[bytes]) -> None:
            if config.batch == 1:
                peer.cycle(bodies, seen.append)
            else:
                peer.batch([bodies[at : at + config.batch] for at in range(0, len(bodies), config.batch)], seen.append)

        run(bodies[: config.warmup])
        measured = bodies[config.warmup :]
        freeze()
        start = time.perf_counter_ns()
        run(measured)
        elapsed = time.perf_counter_ns() - start
        peer.check()
        acked = peer.acked(len(bodies))
    return Measurement.cost(elapsed, config.messages, audit(len(bodies), seen, acked))


def processes(config: Config) -> Measurement:
    """Measure the throughput of producers and consumers in processes of their own; messages/s.

    They send and receive `batch` messages at a time. The time is that from the first send to the last ack.

    Raises:
        ValueError: The system keeps its messages where other processes cannot reach them.
    """
    kind = load(config.system)
    if not issubclass(kind, Stored):
        raise ValueError(f"system must keep its messages where processes can share them, not {config.system!r}")
    bodies = make_bodies(config.messages)
    with kind.home() as address:
        peer = kind(address)
        try:
            received = sharing.run(config, address, bodies)
            peer.check()
            acked = peer.acked(len(bodies) + received.warmup)
        finally:
            peer.close()
    found = audit(len(bodies), received.bodies, None if acked is None else acked - received.warmup)
    return Measurement.throughput(received.elapsed_ns, len(bodies), found)


def depth(config: Config) -> Measurement:
    """Measure how many times longer a pull takes from `messages` queued than from 1,000; a ratio.

    Each queue is pulled from in turns of 100 pulls. After a turn, while the clock stands, the messages are acked and
    as many are pushed, so both queues keep their depth. The turns are compared by their median, which a stall of the
    machine does not move. The ratio of the means is among the details.

    Raises:
        ValueError: The system is not LightBroker.
    """
    kind = load(config.system)
    with kind.open() as shallow, kind.open() as deep:
        if not isinstance(shallow, BrokerPeer) or not isinstance(deep, BrokerPeer):
            raise ValueError(f"system must be LightBroker on one of its stores, not {config.system!r}")
        queues = [_KeptDepth(shallow, SHALLOW), _KeptDepth(deep, config.messages)]
        freeze()
        while min(sum(queue.turns_ns) for queue in queues) < _DEPTH_NS:
            for queue in queues:
                queue.turn()
        few, many = (median(queue.turns_ns) / 1e3 / _PULLS for queue in queues)
        means = sum(queues[1].turns_ns) / sum(queues[0].turns_ns)
        found = queues[0].audit() + queues[1].audit()
    details: dict[str, float | None] = {"shallow_us": few, "deep_us": many, "ratio_of_means": means}
    return Measurement(many / few, "ratio", found, details=details)


class _KeptDepth:
    """A queue that is pulled from in turns and filled up again after each."""

    def __init__(self, peer: BrokerPeer, queued: int) -> None:
        self._peer = peer
        self._sent = 0
        self._send(queued)
        self.seen: list[bytes] = []
        self.turns_ns: list[int] = []

    def _send(self, messages: int) -> None:
        bodies = make_bodies(messages, first=self._sent)
        for at in range(0, messages, SHALLOW):
            self._peer.queue.push_many(bodies[at : at + SHALLOW])
        self._sent += messages

    def turn(self) -> None:
        pull = self._peer.queue.pull
        start = time.perf_counter_ns()
        deliveries = [pull() for _ in range(_PULLS)]
        self.turns_ns.append(time.perf_counter_ns() - start)
        self.seen += [delivery.message.body for delivery in deliveries]
        self._peer.queue.ack_many(deliveries)
        self._send(_PULLS)

    def audit(self) -> Audit:
        """Audit the messages that were pulled, which are the oldest of those pushed; the others are still queued."""
        self._peer.check()
        return audit(len(self.seen), self.seen, self._peer.acked(self._sent))
