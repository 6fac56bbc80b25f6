"""The races that matter, small enough to be run under every schedule with few preemptions."""

from typing import Any

from lightbroker import Overflow, Retry
from lightbroker.core.memory.queue import MemoryQueue
from tests.adversary.schedules import schedule_checks as then
from tests.adversary.schedules.schedule import Race, explore
from tests.adversary.schedules.schedule_scenes import (
    LONG,
    Scene,
    ack,
    burying,
    group,
    holding,
    holding_mortal_and_immortal,
    leasing,
    pull,
    subscribed,
    three_ticks,
    tick,
    trying,
)
from tests.adversary.schedules.schedule_wakes import WAKES

_FULL: dict[str, Any] = {"capacity": 1}
_OLDEST: dict[str, Any] = {"capacity": 2, "overflow": Overflow.DROP_OLDEST}

RACES = {
    race.name: race
    for race in (
        Race("ack, expiry", leasing("a"), (trying(ack), trying(tick)), then.once("acked")),
        Race(
            "reject, expiry",
            leasing("a"),
            (trying(lambda s: s.deliveries[0].reject("no")), trying(tick)),
            then.once("dead"),
        ),
        Race("nack, expiry", leasing("a"), (trying(lambda s: s.deliveries[0].nack("no")), trying(tick)), then.again),
        Race("release, expiry", leasing("a"), (trying(lambda s: s.deliveries[0].release()), trying(tick)), then.again),
        Race(
            "extend, expiry", leasing("a"), (trying(lambda s: s.deliveries[0].extend(2.0)), trying(tick)), then.extended
        ),
        Race(
            "ack, last expiry",
            leasing("a", retry=Retry(max_attempts=1), dead_capacity=1),
            (trying(ack), trying(tick)),
            then.dead_or_acked,
        ),
        Race("ack, ack", leasing("a"), (trying(ack), trying(ack)), then.one_ack),
        Race(
            "ack_many, ack",
            leasing("a"),
            (trying(lambda s: s.queue.ack_many(s.deliveries)), trying(ack)),
            then.one_ack,
        ),
        Race(
            "timed pull, push",
            Scene,
            (trying(lambda s: s.queue.pull(LONG)), trying(lambda s: s.queue.push("a") and None)),
            then.delivered("a"),
        ),
        Race(
            "two pulls, two pushes",
            Scene,
            (
                *(trying(lambda s: s.queue.pull()),) * 2,
                trying(lambda s: s.queue.push_many(["a", "b"]) and None),
            ),
            then.all_pulled,
        ),
        Race(
            "close, blocked push, blocked pull",
            leasing("a", **_FULL),
            (
                trying(lambda s: s.queue.push("b")),
                trying(lambda s: s.queue.pull()),
                trying(lambda s: s.broker.close(drain=False)),
            ),
            then.closed,
        ),
        Race(
            "close, two blocked pulls",
            Scene,
            (*(trying(lambda s: s.queue.pull()),) * 2, trying(lambda s: s.broker.close(drain=False))),
            then.closed,
        ),
        Race(
            "close, two blocked pushes",
            leasing("a", **_FULL),
            (*(trying(lambda s: s.queue.push("b")),) * 2, trying(lambda s: s.broker.close(drain=False))),
            then.closed,
        ),
        Race(
            "push, close",
            Scene,
            (trying(lambda s: s.queue.push("a") and None), trying(lambda s: s.broker.close(drain=False))),
            then.push_or_closed,
        ),
        Race(
            "drop-oldest, pull",
            holding("a", "b", **_OLDEST),
            (trying(lambda s: s.queue.push("c") and None), trying(pull)),
            then.one_dropped,
        ),
        Race(
            "drop-oldest, pull of the last",
            holding("a", capacity=1, overflow=Overflow.DROP_OLDEST),
            (trying(lambda s: s.queue.push("b") and None), trying(pull)),
            then.last_dropped,
        ),
        Race(
            "drop-oldest, close, blocked pull",
            leasing("a", capacity=1, overflow=Overflow.DROP_OLDEST),
            (
                trying(lambda s: s.queue.push("b") and None),
                trying(lambda s: s.queue.pull()),
                trying(lambda s: s.broker.close(drain=False)),
            ),
            then.nobody_waits,
        ),
        Race(
            "blocked push, ack",
            leasing("a", **_FULL),
            (trying(lambda s: s.queue.push("b") and None), trying(ack)),
            then.refused_or_in,
        ),
        Race(
            "two blocked pushes, ack",
            leasing("a", **_FULL),
            (*(trying(lambda s: s.queue.push("b", timeout=LONG) and None),) * 2, trying(ack)),
            then.one_in,
        ),
        Race(
            "timed push, ack",
            leasing("a", **_FULL),
            (trying(lambda s: s.queue.push("b", timeout=LONG) and None), trying(ack)),
            then.refused_or_in,
        ),
        Race(
            "redrive, purge",
            burying("a", "b"),
            (trying(lambda s: s.queue.dead_letters.redrive()), trying(lambda s: s.queue.dead_letters.purge())),
            then.accounted,
        ),
        Race(
            "redrive, redrive",
            burying("a", "b"),
            (trying(lambda s: s.queue.dead_letters.redrive()),) * 2,
            then.redriven_once,
        ),
        Race("pull, pull", holding("a", "b"), (trying(pull), trying(pull)), then.all_pulled),
        Race(
            "pull_many, pull",
            holding("a", "b"),
            (trying(lambda s: "".join(d.message.text for d in s.queue.pull_many(2, 0))), trying(pull)),
            then.in_order,
        ),
        Race("TTL, pull", holding("a", pushed={"ttl": 1.0}, lease=5.0), (trying(pull), trying(tick)), then.lived),
        Race(
            "TTL, pull, another is ready",
            holding_mortal_and_immortal,
            (trying(pull), trying(tick)),
            then.immortal_left,
        ),
        Race(
            "TTL, pull that stalls beyond its lease",
            holding("a", pushed={"ttl": 1.0}),
            (trying(pull), trying(three_ticks)),
            then.expired,
        ),
        Race(
            "due, pull",
            holding("a", pushed={"delay": 1.0}),
            (trying(pull), trying(tick)),
            then.woken,
        ),
        Race(
            "two members of a group",
            group,
            (trying(lambda s: s.shared[0].get(0)), trying(lambda s: s.shared[1].get(0))),
            then.shared_out,
        ),
        Race(
            "a member leaves, another reads, somebody publishes",
            group,
            (
                trying(lambda s: s.shared[0].close()),
                trying(lambda s: s.shared[1].get(0)),
                trying(lambda s: s.broker.publish("t.1", "c")),
            ),
            then.left,
        ),
        Race(
            "publish to a subscriber who closes",
            subscribed,
            (trying(lambda s: s.broker.publish("t", "a")), trying(lambda s: s.shared[0].close())),
            then.published,
        ),
        Race(
            "two declarations",
            Scene,
            (lambda s: s.shared.append(s.broker.queue("new", 2)),) * 2,
            then.declared,
        ),
    )
}


def run(bound: int = 2, most: int | None = None) -> dict[str, Any]:
    """Explore every race on the store in memory, each under at most `most` schedules (None: all within the bound)."""
    reports = [explore(race, MemoryQueue, bound, most).as_dict() for race in (*RACES.values(), *WAKES.values())]
    return {
        "bound": bound,
        "complete": all(report["complete"] for report in reports),
        "schedules": sum(report["schedules"] for report in reports),
        "failures": sum(len(report["failures"]) for report in reports),
        "races": reports,
    }
