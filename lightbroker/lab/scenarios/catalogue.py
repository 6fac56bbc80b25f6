"""Every scenario by its name, and how one is run in this process."""

import sys
from collections.abc import Callable

from lightbroker.lab.measure.results import Config, Measurement
from lightbroker.lab.scenarios import any_peer, event_loops, in_memory
from lightbroker.lab.scenarios.neighbour import beside

#: Every scenario by the name that `Config.scenario` uses.
SCENARIOS: dict[str, Callable[[Config], Measurement]] = {
    "cycle": in_memory.cycle,
    "batch": in_memory.batch,
    "closed": in_memory.closed,
    "service": in_memory.service,
    "open": in_memory.open_,
    "requests": in_memory.requests,
    "memory": in_memory.memory,
    "publish": in_memory.publish,
    "recorder": in_memory.recorder,
    "process": any_peer.process,
    "processes": any_peer.processes,
    "depth": any_peer.depth,
    "async_cycle": event_loops.async_cycle,
    "thread_to_loop": event_loops.thread_to_loop,
    "loop_to_thread": event_loops.loop_to_thread,
}


def measure(config: Config) -> Measurement:
    """Run the scenario that the configuration names, with its switch interval and its neighbour."""
    if config.switch_interval_s is not None:
        sys.setswitchinterval(config.switch_interval_s)
    with beside(config.neighbour):
        return SCENARIOS[config.scenario](config)
