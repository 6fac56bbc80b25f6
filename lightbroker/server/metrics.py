"""The numbers of a broker in Prometheus' text format, version 0.0.4.

The names of the metrics and the words of the labels are an interface: dashboards and alerts rely on them. A counter
never goes down while the process lives. In a store that outlives the process, counters continue where they were.
"""

import math
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from lightbroker import __version__
from lightbroker.core.broker import Broker
from lightbroker.core.histogram import BOUNDS, Reading
from lightbroker.core.queue import Queue
from lightbroker.core.stats import BrokerStats, SubscriptionStats
from lightbroker.server.process import process_metrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_STATES = ("ready", "delayed", "leased", "dead")
_EVENTS = ("accepted", "acked", "dropped", "expired", "purged", "retried", "redriven", "refused")
_COPY_EVENTS = ("received", "delivered", "dropped", "refused")

Labels = Mapping[str, str]


@dataclass
class Family:
    """A metric family, Prometheus' word for all samples that share a name, a type and a help text.

    Attributes:
        name: The name of the metric.
        kind: Prometheus' type: counter, gauge or histogram.
        help: What is measured, in one or two sentences.
        samples: Suffix of the name, labels and value of each sample, in the order of the output.
    """

    name: str
    kind: str
    help: str
    samples: list[tuple[str, Labels, float]] = field(default_factory=list)

    def add(self, value: float, **labels: str) -> None:
        """Add a sample."""
        self.samples.append(("", labels, value))

    def add_histogram(self, reading: Reading, **labels: str) -> None:
        """Add the samples of a histogram: its buckets, the sum of its observations, and their number.

        As Prometheus expects, the count of a bucket includes the counts of all lower buckets.
        """
        running = list(accumulate(reading.counts))
        for bound, count in zip((*BOUNDS, math.inf), running):
            self.samples.append(("_bucket", {**labels, "le": _number(bound)}, count))
        self.samples.append(("_sum", labels, reading.seconds))
        self.samples.append(("_count", labels, running[-1]))

    def lines(self) -> Iterator[str]:
        """Yield the lines of text of this family. Without samples there is no line."""
        if self.samples:
            escaped = self.help.replace("\\", r"\\").replace("\n", r"\n")
            yield f"# HELP {self.name} {escaped}"
            yield f"# TYPE {self.name} {self.kind}"
        for suffix, labels, value in self.samples:
            pairs = ",".join(f'{name}="{_escape(text)}"' for name, text in labels.items())
            yield (
                f"{self.name}{suffix}{{{pairs}}} {_number(value)}" if pairs else f"{self.name}{suffix} {_number(value)}"
            )


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return "+Inf" if value == math.inf else repr(value)


def exposition(broker: Broker) -> str:
    """Return all metrics of `broker` and of this process as text.

    Raises:
        StoreError: The store cannot be read.
        QueueClosed: The broker was closed meanwhile.
    """
    stats, queues = broker.stats(), broker.queues
    build = Family("lightbroker_build_info", "gauge", "1, with the versions of LightBroker and of Python as labels.")
    build.add(1, version=__version__, python=platform.python_version())
    families = [build, *_queues(stats, queues), *_times(queues), *_subscriptions(stats)]
    families += [Family(m.name, m.kind, m.help, [("", {}, m.value)]) for m in process_metrics()]
    return "".join(f"{line}\n" for family in families for line in family.lines())


def _queues(stats: BrokerStats, queues: Mapping[str, Queue]) -> tuple[Family, ...]:
    events = Family(
        "lightbroker_messages_total",
        "counter",
        "Messages by what happened to them. While no operation runs, accepted = ready + delayed + leased + dead (which "
        "are gauges) + acked + dropped + expired + purged. Retried, redriven and refused are no part of this sum.",
    )
    states = Family("lightbroker_queue_messages", "gauge", "Messages in a queue, by state. Dead means dead letters.")
    capacity = Family(
        "lightbroker_queue_capacity_messages",
        "gauge",
        "Messages that a queue may hold, ready, delayed and leased together. Absent if it is unbounded.",
    )
    age = Family(
        "lightbroker_queue_oldest_message_age_seconds",
        "gauge",
        "Seconds since the acceptance of the message that is delivered next. 0 if none is ready. Absent if the store "
        "does not know.",
    )
    for name, queue in stats.queues.items():
        for event in _EVENTS:
            events.add(getattr(queue, event), queue=name, event=event)
        for state in _STATES:
            states.add(getattr(queue, state), queue=name, state=state)
        if queue.capacity is not None:
            capacity.add(queue.capacity, queue=name)
        if name in queues and (oldest := queues[name].oldest_age()) is not None:
            age.add(oldest, queue=name)
    return events, states, capacity, age


def _times(queues: Mapping[str, Queue]) -> tuple[Family, ...]:
    wait = Family(
        "lightbroker_message_wait_seconds",
        "histogram",
        "Seconds from the acceptance of a message until its handler started, delays included. Observed by the worker "
        "pools of this process, at first deliveries; a redriven message counts from its first acceptance.",
    )
    processing = Family(
        "lightbroker_message_processing_seconds",
        "histogram",
        "Seconds that handlers ran, whether they returned or raised. Observed by the worker pools of this process.",
    )
    for name, queue in queues.items():
        wait.add_histogram(queue.wait_times.read(), queue=name)
        processing.add_histogram(queue.handling_times.read(), queue=name)
    return wait, processing


def _subscriptions(stats: BrokerStats) -> tuple[Family, ...]:
    subscribers = Family(
        "lightbroker_subscribers", "gauge", "Buffers of subscribers to a pattern. The members of a group share one."
    )
    buffered = Family("lightbroker_subscriber_buffered_messages", "gauge", "Copies that subscribers have not read yet.")
    copies = Family(
        "lightbroker_subscriber_messages_total",
        "counter",
        "Copies of published messages by what happened to them, summed over the subscribers to a pattern.",
    )
    totals: dict[tuple[str, str], SubscriptionStats] = {}  # by pattern and group; "" is no group
    buffers: dict[tuple[str, str], int] = {}
    for each in stats.subscriptions:
        key = (each.pattern, each.group or "")
        buffers[key] = buffers.get(key, 0) + 1
        totals[key] = totals[key] + each if key in totals else each
    # Without what closed subscriptions have counted, the totals of a pattern would go down when one closes.
    for gone in stats.departed:
        totals[gone.pattern, ""] += gone
    for (pattern, group), total in sorted(totals.items()):
        subscribers.add(buffers[pattern, group], pattern=pattern, group=group)
        buffered.add(total.buffered, pattern=pattern, group=group)
        for event in _COPY_EVENTS:
            copies.add(getattr(total, event), pattern=pattern, group=group, event=event)
    return subscribers, buffered, copies
