"""An interrupt before every single bytecode of every verb, one at a time: what random signals hit only by chance.

CPython looks for signals at some of these points; that it may do so at any of them is the stronger assumption. A trace
function stands in for the signal.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import lightbroker
from lightbroker import Broker, Delivery, InvariantError, LeaseLost, ManualClock, Overflow, QueueEmpty, QueueFull, Retry

PACKAGE = str(Path(lightbroker.__file__).parent)
CAPACITY = 6
LEASE = 30.0  # seconds
FAULTS = ("lost", "doubled", "leaked", "broken_laws")


class Scene:
    """A queue with two messages that are ready, two leased ones, one of them for the last time, and a dead letter."""

    def __init__(self, overflow: Overflow) -> None:
        self.clock = ManualClock()
        self.broker = Broker(clock=self.clock)
        retry = Retry(2, base=1.0, jitter=False)
        self.queue = self.broker.queue("q", CAPACITY, overflow, LEASE, retry, dead_capacity=2)
        self.queue.push("dead")
        self.queue.pull(0).reject("no")
        self.queue.push("last")
        self.queue.pull(0).nack(delay=0.0)
        self.queue.push_many(["leased", "ready", "next"])
        self.last, self.leased = self.queue.pull_many(2, 0)
        self.feed = self.broker.subscribe("t", CAPACITY)

    def fill(self) -> "Scene":
        while self.queue.stats().held < CAPACITY:
            self.queue.push("filling")
        return self


Act = Callable[[Scene], object]
BLOCK, REJECT, OLDEST, NEWEST, LETTER = (
    *(Overflow.BLOCK, Overflow.REJECT, Overflow.DROP_OLDEST, Overflow.DROP_NEWEST),
    Overflow.DEAD_LETTER,
)


def _publish_and_get(scene: Scene) -> object:
    scene.broker.publish("t", "x")
    return scene.feed.get(0)


#: The policy of the queue, whether it is full, and what is interrupted.
ACTS: dict[str, tuple[Overflow, bool, Act]] = {
    "push": (BLOCK, False, lambda scene: scene.queue.push("x")),
    "push, timed": (BLOCK, False, lambda scene: scene.queue.push("x", timeout=1.0)),
    "push, delayed": (BLOCK, False, lambda scene: scene.queue.push("x", delay=1.0)),
    "push with a TTL": (BLOCK, False, lambda scene: scene.queue.push("x", ttl=1000.0)),
    "push, full, waits": (BLOCK, True, lambda scene: scene.queue.push("x", timeout=0.0001)),
    "push, full, refused": (REJECT, True, lambda scene: scene.queue.push("x")),
    "push, full, drops the oldest": (OLDEST, True, lambda scene: scene.queue.push("x")),
    "push, full, drops the newest": (NEWEST, True, lambda scene: scene.queue.push("x")),
    "push, full, makes a letter": (LETTER, True, lambda scene: scene.queue.push("x")),
    "push_many": (BLOCK, False, lambda scene: scene.queue.push_many(["x", "y"])),
    "push_many, beyond the room": (BLOCK, False, lambda scene: scene.queue.push_many(["x", "y", "z"], timeout=0)),
    "push_many, delayed": (BLOCK, False, lambda scene: scene.queue.push_many(["x", "y"], delay=1.0)),
    "pull": (BLOCK, False, lambda scene: scene.queue.pull()),
    "pull, timed": (BLOCK, False, lambda scene: scene.queue.pull(1.0)),
    "pull_many": (BLOCK, False, lambda scene: scene.queue.pull_many(9, 0)),
    "ack": (BLOCK, False, lambda scene: scene.leased.ack()),
    "ack, late": (BLOCK, False, lambda scene: (scene.leased.ack(), scene.leased.ack())),
    "ack_many": (BLOCK, False, lambda scene: scene.queue.ack_many([scene.leased, scene.last])),
    "nack": (BLOCK, False, lambda scene: scene.leased.nack("no")),
    "nack without a wait": (BLOCK, False, lambda scene: scene.leased.nack("no", delay=0.0)),
    "nack of the last attempt": (BLOCK, False, lambda scene: scene.last.nack("no")),
    "release": (BLOCK, False, lambda scene: scene.leased.release()),
    "reject": (BLOCK, False, lambda scene: scene.leased.reject("no")),
    "reject, letters full": (BLOCK, False, lambda scene: (scene.leased.reject("no"), scene.last.reject("no"))),
    "extend": (BLOCK, False, lambda scene: scene.leased.extend(100.0)),
    "redrive": (BLOCK, False, lambda scene: scene.queue.dead_letters.redrive()),
    "redrive, full": (BLOCK, True, lambda scene: scene.queue.dead_letters.redrive()),
    "purge": (BLOCK, False, lambda scene: scene.queue.dead_letters.purge()),
    "publish and get": (BLOCK, False, _publish_and_get),
}


def run() -> dict[str, Any]:
    """Interrupt each act at each point; the faults by what they are and the acts that have any.

    lost: cannot be delivered though it was not settled; doubled: delivered twice; leaked: places that are not free.
    """
    report: dict[str, Any] = {"acts": len(ACTS), "points": 0, **dict.fromkeys(FAULTS, 0), "faulty": []}
    for name, (overflow, full, act) in ACTS.items():
        point, reached = 0, True
        while reached:
            scene = Scene(overflow)
            reached = _interrupt(act, scene.fill() if full else scene, point)
            point += 1
            for fault, times in _account(scene).items():
                report[fault] += times
                if times and name not in report["faulty"]:
                    report["faulty"].append(name)
        report["points"] += point - 1
    return report


def _interrupt(act: Act, scene: Scene, point: int) -> bool:
    """Interrupt `act` before its bytecode number `point`; whether it came so far."""
    left = point

    def count_down(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if event == "opcode":
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
        return count_down

    def enter(frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        frame.f_trace_opcodes = True
        return count_down

    before = sys.gettrace()
    try:
        sys.settrace(enter)
        with suppress(QueueFull, QueueEmpty, LeaseLost, KeyboardInterrupt):
            act(scene)
    finally:
        sys.settrace(before)
    return left < 0


def _account(scene: Scene) -> dict[str, int]:
    faults = dict.fromkeys(FAULTS, 0)
    try:
        scene.broker.check()
    except InvariantError:
        faults["broken_laws"] += 1
    stats = scene.queue.stats()
    settled = stats.acked + stats.dropped + stats.expired + stats.purged
    found = [letter.message.id for letter in scene.queue.dead_letters]
    for _ in range(5):  # leases that were interrupted in the making take twice their time
        scene.clock.advance(LEASE + 1.0)
        for delivery in _ready(scene):
            found.append(delivery.message.id)
            delivery.ack()
    found += [letter.message.id for letter in scene.queue.dead_letters if letter.message.id not in found]
    faults["doubled"] = len(found) - len(set(found))
    faults["lost"] = max(0, stats.accepted - settled - (scene.queue.stats().dropped - stats.dropped) - len(set(found)))
    with suppress(QueueFull):
        for _ in range(CAPACITY):
            scene.queue.push("filling", timeout=0)
    faults["leaked"] = CAPACITY - scene.queue.stats().held
    return faults


def _ready(scene: Scene) -> list[Delivery]:
    try:
        return scene.queue.pull_many(CAPACITY, 0)
    except QueueEmpty:
        return []
