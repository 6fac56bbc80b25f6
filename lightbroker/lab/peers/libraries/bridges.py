"""janus and culsans: queues that join threads and event loops, measured on their side for threads."""

from typing import Any

import culsans
import janus

from lightbroker.lab.peers.event_loops import BRIDGE
from lightbroker.lab.peers.standard import TaskDonePeer


class Bridge(TaskDonePeer):
    """The side for threads, used as `queue.Queue` is; `event_loops.BridgeLoop` says what it does not promise."""

    promises = BRIDGE

    def __init__(self, bridge: Any) -> None:
        self._bridge = bridge
        self.queue = bridge.sync_q

    def close(self) -> None:
        """Close the queue."""
        self._bridge.close()


class Janus(Bridge):
    """janus."""

    name = library = "janus"

    def __init__(self) -> None:
        super().__init__(janus.Queue())


class Culsans(Bridge):
    """culsans."""

    name = library = "culsans"

    def __init__(self) -> None:
        super().__init__(culsans.Queue())
