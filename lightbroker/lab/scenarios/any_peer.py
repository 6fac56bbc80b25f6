"""What one process, or several, measure of any peer. The warm-up goes through the same peer, off the clock."""

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

SHALLOW = 1_000  #: messages queued in the queue that a deep one is compared with
_PULLS = 100  # timed together
_DEPTH_NS = 300_000_000  # of pulls from each queue


def process(config: Config) -> Measurement:
    """Send, receive and settle on one thread, `batch` messages at a time; µs a message."""
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
    return Measurement(elapsed / 1e3 / config.messages, "µs/message", audit(len(bodies), seen, acked))


def processes(config: Config) -> Measurement:
    """Producers and consumers in processes of their own, `batch` messages at a time; messages/s.

    The time is that from the first send to the last message settled.
    """
    kind = load(config.system)
    if not issubclass(kind, Stored):
        raise ValueError(f"system must keep its messages where processes can share them, not {config.system!r}")
    bodies = make_bodies(config.messages)
    with kind.home() as address:
        peer = kind(address)
        try:
            found = sharing.run(config, address, bodies)
            peer.check()
            acked = peer.acked(len(bodies) + found.warmup)
        finally:
            peer.close()
    done = audit(len(bodies), found.received, None if acked is None else acked - found.warmup)
    return Measurement(len(bodies) / found.elapsed_ns * 1e9, "messages/s", done)


def depth(config: Config) -> Measurement:
    """How many times longer a pull takes with `messages` queued than with 1,000, in turns of 100 pulls each.

    What was pulled is acked, and as much is pushed, off the clock; so both queues keep their depth. Turns are compared
    by their median, which a stall of the machine does not move; the ratio of the means is among the details.
    """
    kind = load(config.system)
    with kind.open() as shallow, kind.open() as deep:
        if not isinstance(shallow, BrokerPeer) or not isinstance(deep, BrokerPeer):
            raise ValueError(f"system must be LightBroker on one of its stores, not {config.system!r}")
        ends = [_End(shallow, SHALLOW), _End(deep, config.messages)]
        freeze()
        while min(sum(end.turns_ns) for end in ends) < _DEPTH_NS:
            for end in ends:
                end.turn()
        few, many = (median(end.turns_ns) / 1e3 / _PULLS for end in ends)
        means = sum(ends[1].turns_ns) / sum(ends[0].turns_ns)
        found = ends[0].audit() + ends[1].audit()
    details: dict[str, float | None] = {"shallow_us": few, "deep_us": many, "ratio_of_means": means}
    return Measurement(many / few, "ratio", found, details=details)


class _End:
    """The consumer's end of a queue that is kept at its depth."""

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
        """Of what was pulled, which is the oldest of what was pushed; the rest is still queued."""
        self._peer.check()
        return audit(len(self.seen), self.seen, self._peer.acked(self._sent))
