"""Prometheus' text format: parsed by Prometheus' own tools, with the numbers of the broker, and never going down."""

import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lightbroker import Broker, ManualClock, Message, Overflow, Queue, Retry
from lightbroker.core.histogram import BOUNDS
from lightbroker.core.memory.store import MemoryStore
from lightbroker.server.metrics import exposition
from tests.support import counts, drain, program, wait_until

Open = Callable[..., Queue]
Sample = tuple[str, tuple[tuple[str, str], ...]]


def scrape(broker: Broker) -> dict[Sample, float]:
    """Return every sample by its name and sorted labels, as Prometheus' client library for Python reads them."""
    samples = {}
    for family in text_string_to_metric_families(exposition(broker)):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in samples, f"{key} is there twice"
            samples[key] = sample.value
    return samples


def labelled(samples: Mapping[Sample, float], name: str, label: str) -> dict[str, float]:
    """Return the samples of a metric by the value of one label."""
    return {dict(labels)[label]: value for (found, labels), value in samples.items() if found == name}


def counters(samples: Mapping[Sample, float]) -> dict[Sample, float]:
    ends = ("_total", "_bucket", "_sum", "_count")
    return {key: value for key, value in samples.items() if key[0].endswith(ends) and key[0].startswith("lightbroker")}


@pytest.fixture
def eventful(broker: Broker, open_queue: Open, clock: ManualClock) -> Queue:
    """A queue to which everything that is counted has happened, each a different number of times."""
    queue = open_queue(
        capacity=40, overflow=Overflow.REJECT, retry=Retry(max_attempts=2, base=5.0, jitter=False), dead_capacity=3
    )
    queue.push_many(["expire"] * 2, ttl=1.0)
    clock.advance(2.0)
    for _ in range(7):
        queue.push("dead")
        queue.pull(timeout=0).reject("bad")
    queue.dead_letters.redrive(limit=1)
    queue.dead_letters.purge()
    drain(queue)
    queue.push("reject")
    queue.pull(timeout=0).reject("bad")
    queue.push("retry")
    queue.pull(timeout=0).nack("later")
    queue.push_many(["lease"] * 3)
    queue.pull_many(3)
    queue.push_many(["ready"] * 36)
    for _ in range(6):
        with pytest.raises(Exception, match="full"):
            queue.push("refused")
    return queue


def test_every_counter_and_gauge_of_a_queue_is_shown(broker: Broker, eventful: Queue) -> None:
    samples = scrape(broker)
    events = labelled(samples, "lightbroker_messages_total", "event")
    states = labelled(samples, "lightbroker_queue_messages", "state")
    shown = {name: value for name, value in {**events, **states}.items() if value}
    assert shown == counts(eventful)
    assert set(shown) == {*events, *states}, "the fixture leaves something out"
    assert samples["lightbroker_queue_capacity_messages", (("queue", "q"),)] == 40
    gone = ("acked", "dropped", "expired", "purged")
    assert events["accepted"] == sum(states.values()) + sum(events[event] for event in gone)


def test_a_queue_without_a_bound_has_no_capacity(broker: Broker) -> None:
    broker.queue("q", capacity=None)
    assert not labelled(scrape(broker), "lightbroker_queue_capacity_messages", "queue")


def test_the_age_is_that_of_the_message_that_is_delivered_next(
    broker: Broker, open_queue: Open, clock: ManualClock
) -> None:
    queue = open_queue()
    age = "lightbroker_queue_oldest_message_age_seconds"
    assert labelled(scrape(broker), age, "queue") == {"q": 0.0}
    queue.push("a")
    clock.advance(5.0)
    queue.push("b")
    clock.advance(2.5)
    assert labelled(scrape(broker), age, "queue") == {"q": 7.5}
    queue.pull(timeout=0)
    assert labelled(scrape(broker), age, "queue") == {"q": 2.5}


class Contract:
    """A queue's store that offers what the contract asks for and no more."""

    def __init__(self, whole: Any) -> None:
        self._whole = whole

    def __getattr__(self, name: str) -> Any:
        if name in ("oldest", "oldest_dead", "newest_dead"):
            raise AttributeError(name)
        return getattr(self._whole, name)


class ContractStore(MemoryStore):
    def queue(self, *arguments: Any) -> Any:
        return Contract(super().queue(*arguments))


def test_the_age_is_absent_where_the_store_cannot_tell() -> None:
    with Broker(ContractStore()) as broker:
        broker.push("q", "a")
        samples = scrape(broker)
        broker.pull("q", timeout=0).ack()
    assert labelled(samples, "lightbroker_queue_messages", "state")["ready"] == 1
    assert not labelled(samples, "lightbroker_queue_oldest_message_age_seconds", "queue")


def test_histograms_cumulate_and_agree_with_their_count(broker: Broker, open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue()

    def handle(message: Message) -> None:
        clock.advance(message.json())

    with broker.workers("q", handle, workers=1):
        for done, seconds in enumerate((0.001, 0.2, 0.3, 1000.0), 1):
            queue.push(seconds)
            wait_until(lambda: queue.stats().acked == done)  # noqa: B023 - it is called in this round
    samples = scrape(broker)
    name = "lightbroker_message_processing_seconds"
    buckets = labelled(samples, f"{name}_bucket", "le")
    assert list(buckets) == [str(bound) for bound in BOUNDS] + ["+Inf"]
    assert list(buckets.values()) == sorted(buckets.values())
    assert [buckets[bound] for bound in ("0.0005", "0.001", "0.1", "0.25", "0.5", "300.0", "+Inf")] == [
        *(0, 1, 1, 2, 3, 3, 4)
    ]
    assert labelled(samples, f"{name}_count", "queue") == {"q": 4}
    assert labelled(samples, f"{name}_sum", "queue") == {"q": pytest.approx(1000.501)}
    assert labelled(samples, "lightbroker_message_wait_seconds_count", "queue") == {"q": 4}


def test_subscribers_are_summed_by_pattern_and_group(broker: Broker) -> None:
    first, _ = broker.subscribe("chain.*", capacity=1), broker.subscribe("chain.*", capacity=5)
    broker.subscribe("chain.*", group="auditors"), broker.subscribe("chain.*", group="auditors")
    for _ in range(3):
        broker.publish("chain.heads", "a")
    first.get(timeout=0)
    samples = scrape(broker)
    assert labelled(samples, "lightbroker_subscribers", "group") == {"": 2, "auditors": 1}
    assert labelled(samples, "lightbroker_subscriber_buffered_messages", "group") == {"": 3, "auditors": 3}
    copies = {
        (dict(labels)["group"], dict(labels)["event"]): value
        for (name, labels), value in samples.items()
        if name == "lightbroker_subscriber_messages_total" and value
    }
    assert copies == {("", "received"): 6, ("", "delivered"): 1, ("", "dropped"): 2, ("auditors", "received"): 3}
    first.close()
    assert {**counters(scrape(broker)), **counters(samples)} == counters(scrape(broker)), "a counter went down"


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\\nb", "a\\\\n", "日本語-🐇", "{le='1'}", "#"])
def test_label_values_are_escaped(broker: Broker, name: str) -> None:
    broker.push(name, "a")
    assert labelled(scrape(broker), "lightbroker_queue_capacity_messages", "queue") == {name: 10_000}


def test_the_order_is_the_same_whatever_was_declared_first(make_broker: Callable[..., Broker]) -> None:
    one, other = make_broker(), make_broker()
    for broker, names in ((one, "ab"), (other, "ba")):
        for name in names:
            broker.queue(name)
    assert list(scrape(one)) == list(scrape(other))


def test_names_units_types_and_help_are_right(broker: Broker, eventful: Queue) -> None:
    broker.subscribe("a")
    for family in text_string_to_metric_families(exposition(broker)):
        assert family.documentation.endswith("."), family.name
        assert family.type in ("counter", "gauge", "histogram")
        if family.type == "counter":
            assert {sample.name for sample in family.samples} == {f"{family.name}_total"}
        if "seconds" in family.documentation.lower().split("at first")[0]:
            assert "_seconds" in family.name


def test_promtool_finds_nothing_to_complain_about(broker: Broker, eventful: Queue) -> None:
    broker.subscribe('a."b\\')
    command = [program("promtool", "prometheus"), "check", "metrics"]
    run = subprocess.run(command, input=exposition(broker), capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.usefixtures("switching")
def test_no_counter_goes_down_and_none_is_lost_under_load(broker: Broker, open_queue: Open) -> None:
    queue = open_queue(capacity=100, retry=Retry(max_attempts=2, base=0.0))
    producers, each = 3, 300

    def push() -> None:
        for number in range(each):
            queue.push(str(number))

    def handle(message: Message) -> None:
        if message.text.endswith("7"):
            raise ValueError

    seen: dict[Sample, float] = {}
    threads = [threading.Thread(target=push) for _ in range(producers)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or queue.stats().held:
        with broker.workers("q", handle, workers=2):  # pools come and go; their counts stay
            for _ in range(3):
                now = counters(scrape(broker))
                assert not [key for key, value in seen.items() if now[key] < value]
                seen = now
    samples = scrape(broker)
    assert labelled(samples, "lightbroker_message_wait_seconds_count", "queue") == {"q": producers * each}
    handled = labelled(samples, "lightbroker_message_processing_seconds_count", "queue")
    assert handled == {"q": producers * each + queue.stats().retried}


def test_a_scrape_waits_for_no_lock_of_the_memory_store(broker: Broker, open_queue: Open) -> None:
    queue = open_queue()
    queue.push("a")
    with queue.stored._steps.lock:  # type: ignore[attr-defined]
        scraped = threading.Thread(target=scrape, args=(broker,))
        scraped.start()
        scraped.join(5.0)
        assert not scraped.is_alive()


def test_build_and_process_are_told(broker: Broker) -> None:
    samples = {name: value for (name, _), value in scrape(broker).items()}
    assert samples["lightbroker_build_info"] == 1
    assert samples["process_cpu_seconds_total"] > 0
    if os.path.exists("/proc/self/stat"):
        assert 0 < samples["process_open_fds"] <= samples["process_max_fds"]
        assert 0 < samples["process_resident_memory_bytes"] < samples["process_virtual_memory_bytes"]
        age = os.stat("/proc/self").st_mtime - samples["process_start_time_seconds"]
        assert -5 < age < 86400
