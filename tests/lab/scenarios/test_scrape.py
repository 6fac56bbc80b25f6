"""Watching a broker: the runs lose no message, the clients do what they say, and ratios are paired."""

from collections.abc import Iterator

import pytest

from lightbroker import Broker
from lightbroker.core.histogram import Tally
from lightbroker.lab.scenarios import scrape
from lightbroker.lab.scenarios.scrape import WatchConfig, WatchRun, client, findings, measure
from lightbroker.server import MetricsServer
from tests.support import wait_until


@pytest.fixture(autouse=True)
def recorded() -> Iterator[None]:
    record = Tally.record
    yield
    Tally.record = record  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "config",
    [WatchConfig("closed", "plain", 2000), WatchConfig("pool", "plain", 2000), WatchConfig("pool", "unrecorded", 2000)],
    ids=lambda config: f"{config.scenario} {config.variant}",
)
def test_a_run_passes_every_message_on_once(config: WatchConfig) -> None:
    found = measure(config)
    counts = {name: found["audit"][name] for name in ("sent", "received", "acked", "lost", "duplicated", "unknown")}
    assert counts == dict(zip(counts, (2000, 2000, 2000, 0, 0, 0)))
    assert found["value"] > 0


def test_the_health_is_probed_beside_slow_clients_that_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrape, "SLOW_CLIENTS", 12)
    details = measure(WatchConfig("health", "crowded", 15_000))["details"]
    assert details["fewest_held"] == 12
    assert details["health_failed"] == 0
    assert details["health_samples"] > 0


def test_the_scraper_scrapes_until_told() -> None:
    counted: dict[str, float] = {}
    with Broker() as broker, MetricsServer(broker) as server:
        inside = server._listener
        assert inside is not None
        with client("scrape", server.url, 0.01, counted):
            wait_until(lambda: bool(inside._connections))
    assert counted["failed"] == 0


def test_ratios_are_paired_within_a_block_and_runs_that_failed_are_left_out() -> None:
    runs = [
        WatchRun(block, WatchConfig("closed", variant, 1), value)
        for block, pair in enumerate(((100.0, 90.0), (200.0, 180.0), (50.0, None)))
        for variant, value in zip(("plain", "scraped"), pair)
    ]
    [found] = findings(runs, seed=1)
    assert (found["claim"], found["runs"]) == ("closed, scraped / plain", 2)
    assert found["median"] == pytest.approx(0.9)
