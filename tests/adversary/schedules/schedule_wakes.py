"""Races in which one thread waits with a time-out for what another makes: it must be woken, never need its time.

A missed wake-up shows only in these: elsewhere a time-out may fire at any moment, and would hide it.
"""

from collections.abc import Callable
from typing import Any

from lightbroker import Overflow, Retry
from tests.adversary.schedules import schedule_checks as then
from tests.adversary.schedules.schedule import Race
from tests.adversary.schedules.schedule_scenes import LONG, Scene, burying, holding, leasing, tick, trying

_FULL: dict[str, Any] = {"capacity": 1}


def _waiting_pull(scene: Scene) -> object:
    return scene.queue.pull(LONG)


def _waiting_push(scene: Scene) -> object:
    return scene.queue.push("b", timeout=LONG) and None


def _two_expired_in_turn(queue: type[Any]) -> Scene:
    return leasing("a", retry=Retry(max_attempts=1), **_FULL)(queue)


def _subscribed(queue: type[Any]) -> Scene:
    scene = Scene(queue)
    scene.shared = [scene.broker.subscribe("t")]
    return scene


def _pull_meets(name: str, setup: Callable[[type[Any]], Scene], *works: Callable[[Scene], object]) -> Race:
    return Race(f"timed pull, {name}", setup, (trying(_waiting_pull), *map(trying, works)), then.got("a"), patient=True)


def _push_meets(name: str, setup: Callable[[type[Any]], Scene], *works: Callable[[Scene], object]) -> Race:
    return Race(
        f"timed push, {name}", setup, (trying(_waiting_push), *map(trying, works)), then.got("ok"), patient=True
    )


WAKES = {
    race.name: race
    for race in (
        _pull_meets("push in time", Scene, lambda s: s.queue.push("a") and None),
        _pull_meets("push_many", Scene, lambda s: s.queue.push_many(["a"]) and None),
        _pull_meets("timed push", Scene, lambda s: s.queue.push("a", timeout=LONG) and None),
        _pull_meets("push with TTL", Scene, lambda s: s.queue.push("a", ttl=LONG) and None),
        _pull_meets("nack", leasing("a"), lambda s: s.deliveries[0].nack("no")),
        _pull_meets("release", leasing("a"), lambda s: s.deliveries[0].release()),
        _pull_meets("expiry", leasing("a"), tick),
        _pull_meets("due", holding("a", pushed={"delay": 1.0}), tick),
        _pull_meets("redrive", burying("a"), lambda s: s.queue.dead_letters.redrive()),
        _pull_meets(
            "push that waits for an ack",
            leasing("z", **_FULL),
            lambda s: s.queue.push("a") and None,
            lambda s: s.deliveries[0].ack(),
        ),
        _push_meets("ack in time", leasing("a", **_FULL), lambda s: s.deliveries[0].ack()),
        _push_meets("ack_many", leasing("a", **_FULL), lambda s: s.queue.ack_many(s.deliveries)),
        _push_meets("reject", leasing("a", **_FULL), lambda s: s.deliveries[0].reject("no")),
        _push_meets("last nack", leasing("a", retry=Retry(max_attempts=1), **_FULL), lambda s: s.deliveries[0].nack()),
        _push_meets("last expiry", _two_expired_in_turn, tick),
        _push_meets("TTL", holding("a", pushed={"ttl": 1.0}, **_FULL), tick),
        Race(
            "two timed pulls, two pushes",
            Scene,
            (*(trying(_waiting_pull),) * 2, trying(lambda s: s.queue.push_many(["a", "b"]) and None)),
            then.all_pulled,
            patient=True,
        ),
        Race(
            "timed pull, pull, two pushes",
            Scene,
            (
                trying(_waiting_pull),
                trying(lambda s: s.queue.pull()),
                trying(lambda s: s.queue.push_many(["a", "b"]) and None),
            ),
            then.all_pulled,
            patient=True,
        ),
        Race(
            "two timed pushes, ack of two",
            leasing("a", "b", capacity=2),
            (*(trying(_waiting_push),) * 2, trying(lambda s: s.queue.ack_many(s.deliveries))),
            then.got("ok", "ok"),
            patient=True,
        ),
        Race(
            "close, timed pull",
            Scene,
            (trying(_waiting_pull), trying(lambda s: s.broker.close(drain=False))),
            then.got("QueueClosed"),
            patient=True,
        ),
        Race(
            "close, timed push",
            leasing("a", **_FULL),
            (trying(_waiting_push), trying(lambda s: s.broker.close(drain=False))),
            then.got("QueueClosed"),
            patient=True,
        ),
        Race(
            "close, timed pull, pull",
            Scene,
            (trying(_waiting_pull), trying(lambda s: s.queue.pull()), trying(lambda s: s.broker.close(drain=False))),
            then.got("QueueClosed", "QueueClosed"),
            patient=True,
        ),
        Race(
            "subscriber, publish",
            _subscribed,
            (trying(lambda s: s.shared[0].get(0.1)), trying(lambda s: s.broker.publish("t", "a"))),
            then.got("a"),
            patient=True,
        ),
        Race(
            "timed push to a queue that does not block, ack",
            leasing("a", overflow=Overflow.REJECT, **_FULL),
            (trying(_waiting_push), trying(lambda s: s.deliveries[0].ack())),
            then.refused_or_in,
            patient=True,
        ),
    )
}
