"""A broker that is interrupted at the worst moments."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lightbroker import Broker
from lightbroker.watcher import ChainWatcher
from tests.watcher.toychain import Block


class FailingBroker(Broker):
    """Raises KeyboardInterrupt before or after the calls with the given numbers, counted from 1."""

    def __init__(
        self, before: Collection[int] = (), after: Collection[int] = (), publishes: Collection[int] = ()
    ) -> None:
        """Fail before and after pushes, and before publishes."""
        super().__init__()
        self._before, self._after, self._publishes = before, after, publishes
        self._pushed = self._published = 0

    def push(self, *args: Any, **options: Any) -> str | None:
        """Push, or raise, or both."""
        self._pushed += 1
        if self._pushed in self._before:
            raise KeyboardInterrupt
        identifier = super().push(*args, **options)
        if self._pushed in self._after:
            raise KeyboardInterrupt
        return identifier

    def publish(self, *args: Any, **options: Any) -> int:
        """Publish or raise."""
        self._published += 1
        if self._published in self._publishes:
            raise KeyboardInterrupt
        return super().publish(*args, **options)


def see(watcher: ChainWatcher, head: Block) -> int:
    """Show `head` until the watcher is through with it; return how often it was interrupted."""
    interruptions = 0
    while True:
        try:
            watcher.see(head)
            return interruptions
        except KeyboardInterrupt:
            interruptions += 1
