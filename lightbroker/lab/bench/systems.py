"""The names of the systems that are compared, and which of them can be measured on this machine."""

from collections.abc import Iterable

from lightbroker.lab.peers.base import Peer
from lightbroker.lab.peers.catalogue import Unavailable, load

# Those that a bar or a figure names. `lab.peers.catalogue` has all of them.
LIGHT = "LightBroker"
LIGHT_SQLITE = "LightBroker SQLite"
LIGHT_SQLITE_FULL = "LightBroker SQLite FULL"
LIGHT_REDIS = "LightBroker Redis"
QUEUE = "queue.Queue"
LITEQUEUE = "litequeue"
PERSIST_QUEUE = "persist-queue"
REDIS_STREAM = "Redis stream"


def available(names: Iterable[str]) -> tuple[dict[str, type[Peer]], dict[str, str]]:
    """Sort systems by whether they can be measured here.

    Returns:
        The class of each system that can be measured, by name. For each of the others the reason why not: the library
        or the server that is missing.
    """
    kinds, skipped = {}, {}
    for name in names:
        try:
            kinds[name] = load(name)
        except Unavailable as error:
            skipped[name] = str(error)
    return kinds, skipped
