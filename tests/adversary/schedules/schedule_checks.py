"""What must be true when a race is over. Each ends with the law, the permits, and what is left being delivered."""

from collections.abc import Callable
from typing import Any

from tests.adversary.schedules.schedule_scenes import LATER, Scene


def once(gone: str) -> Callable[[Scene, list[Any]], None]:
    """The settling thread won and the message is `gone`, or the lease ran out first and it is delivered again."""

    def check(scene: Scene, results: list[Any]) -> None:
        stats = scene.queue.stats()
        assert results[0] in ("ok", "LeaseLost"), results
        won = results[0] == "ok"
        assert getattr(stats, gone) == won, stats
        assert scene.settle_all() == ([] if won else ["a"])

    return check


def again(scene: Scene, results: list[Any]) -> None:
    """Whoever won, the message is there once more, and failed once at most."""
    assert results[0] in ("ok", "LeaseLost"), results
    assert scene.queue.stats().ready == 1
    assert scene.queue.stats().retried <= 1
    assert scene.settle_all() == ["a"]


def extended(scene: Scene, results: list[Any]) -> None:
    stats, delivery = scene.queue.stats(), scene.deliveries[0]
    if results[0] == "ok":
        assert (stats.leased, stats.ready) == (1, 0), stats
        assert delivery.deadline > scene.clock.monotonic()
        delivery.ack()
        assert scene.settle_all() == []
    else:
        assert (stats.leased, stats.ready) == (0, 1), stats
        assert scene.settle_all() == ["a"]


def one_ack(scene: Scene, results: list[Any]) -> None:
    assert sorted(results) == ["LeaseLost", "ok"], results
    assert scene.queue.stats().acked == 1
    assert scene.settle_all() == []


def delivered(*bodies: str) -> Callable[[Scene, list[Any]], None]:
    """Each of `bodies` is with the one thread that returned it, or still in the queue; none is twice."""

    def check(scene: Scene, results: list[Any]) -> None:
        pulled = [result for result in results if result in bodies]
        assert len(set(pulled)) == len(pulled), results
        stats = scene.queue.stats()
        assert stats.leased == len(pulled), (stats, results)
        assert stats.ready == len(bodies) - len(pulled), (stats, results)
        assert sorted(scene.settle_all()) == sorted(bodies)  # their leases run out, too

    return check


def all_pulled(scene: Scene, results: list[Any]) -> None:
    assert scene.queue.stats().ready == 0, results
    delivered(*(result for result in results if result != "ok"))(scene, results)


def closed(scene: Scene, results: list[Any]) -> None:
    assert set(results[:-1]) == {"QueueClosed"}, results
    assert scene.queue.stats().accepted == scene.queue.stats().leased + scene.queue.stats().acked
    scene.broker.check()


def push_or_closed(scene: Scene, results: list[Any]) -> None:
    stats = scene.queue.stats()
    assert stats.accepted == stats.ready == (results[0] != "QueueClosed"), (stats, results)
    scene.broker.check()


def one_dropped(scene: Scene, results: list[Any]) -> None:
    """The new message is in; the oldest went, or was pulled; what is left is in order."""
    stats = scene.queue.stats()
    pulled = [result for result in results if result in ("a", "b")]
    assert stats.dropped == 1, (stats, results)
    assert len(pulled) == stats.leased == 1, (stats, results)
    left = scene.settle_all()
    kept = [body for body in left if body != pulled[0]]
    assert kept == sorted(kept), left
    assert scene.queue.stats().acked == 2


def last_dropped(scene: Scene, results: list[Any]) -> None:
    """The old message goes, or it was pulled and the new one goes; between the two the queue may be empty."""
    stats = scene.queue.stats()
    assert stats.dropped == 1, (stats, results)
    assert stats.leased == (results[1] != "QueueEmpty"), (stats, results)
    assert scene.settle_all() == (["b"] if results[1] != "a" else ["a"])


def accounted(scene: Scene, results: list[Any]) -> None:
    """Redriven or purged: each dead letter once."""
    stats = scene.queue.stats()
    assert stats.redriven + stats.purged == results[0] + results[1] == 2, (stats, results)
    assert (stats.ready, stats.dead) == (stats.redriven, 0), stats
    assert len(scene.settle_all()) == stats.redriven


def redriven_once(scene: Scene, results: list[Any]) -> None:
    assert sum(results) == 2, results
    assert scene.settle_all() == ["a", "b"]


def lived(scene: Scene, results: list[Any]) -> None:
    """Leased or expired, never both, and never handed out and gone."""
    stats = scene.queue.stats()
    assert stats.expired + stats.leased == 1, (stats, results)
    assert (results[0] == "a") == bool(stats.leased), (stats, results)
    scene.queue.stored.check()
    scene.clock.advance(LATER)
    assert scene.queue.stats().held == 0


def immortal_left(scene: Scene, results: list[Any]) -> None:
    """Whatever became of the mortal message, the other can be delivered: its token was not taken along."""
    assert results[0] in ("a", "b"), results
    scene.broker.check()
    assert scene.settle_all() == ["b"], results


def nobody_waits(scene: Scene, results: list[Any]) -> None:
    assert results[0] in ("ok", "QueueClosed"), results
    assert results[1] == "QueueClosed", results
    scene.broker.check()


def expired(scene: Scene, results: list[Any]) -> None:
    assert results[0] in ("a", "QueueEmpty"), results
    scene.settle_all()


def in_order(scene: Scene, results: list[Any]) -> None:
    assert tuple(results) in (("ab", "QueueEmpty"), ("a", "b"), ("b", "a")), results
    assert sorted(scene.settle_all()) == ["a", "b"]


def shared_out(scene: Scene, results: list[Any]) -> None:
    assert sorted(results[:2]) == ["a", "b"], results
    scene.broker.check()


def left(scene: Scene, results: list[Any]) -> None:
    """One member leaves while the other reads and somebody publishes: the other gets everything, in order."""
    assert [results[1], scene.shared[1].get(0).text, scene.shared[1].get(0).text] == ["a", "b", "c"], results
    scene.broker.check()


def published(scene: Scene, results: list[Any]) -> None:
    assert results[0] in (0, 1), results
    scene.broker.check()


def refused_or_in(scene: Scene, results: list[Any]) -> None:
    stats = scene.queue.stats()
    assert results[1] == "ok"
    assert (results[0] == "QueueFull") == bool(stats.refused), (stats, results)
    assert len(scene.settle_all()) == (not stats.refused)


def one_in(scene: Scene, results: list[Any]) -> None:
    """One permit came free: it let one of the two in at most, the other gave up."""
    assert results[:2].count("ok") <= 1, results
    assert results[:2].count("QueueFull") == scene.queue.stats().refused, results
    assert len(scene.settle_all()) == results[:2].count("ok")


def declared(scene: Scene, results: list[Any]) -> None:
    assert scene.broker.queue("new", 2) is scene.shared[0] is scene.shared[1]
    scene.broker.check()


def woken(scene: Scene, results: list[Any]) -> None:
    assert results[0] in ("a", "QueueEmpty"), results
    assert scene.settle_all() == ["a"]


def dead_or_acked(scene: Scene, results: list[Any]) -> None:
    stats = scene.queue.stats()
    assert stats.dead == (results[0] == "LeaseLost"), (stats, results)
    assert stats.acked == (results[0] == "ok"), (stats, results)
    assert scene.settle_all() == []


def bounded(scene: Scene, results: list[Any]) -> None:
    """A dead letter comes while the only other leaves: the bound of one drops it or not, none is lost."""
    stats = scene.queue.stats()
    assert stats.dead == 1, (stats, results)
    assert stats.dropped + stats.redriven == 1, (stats, results)
    assert len(scene.settle_all()) == stats.redriven


def got(*expected: object) -> Callable[[Scene, list[Any]], None]:
    """The first threads returned just this, and the law holds."""

    def check(scene: Scene, results: list[Any]) -> None:
        assert tuple(results[: len(expected)]) == expected, results
        scene.broker.check()

    return check
