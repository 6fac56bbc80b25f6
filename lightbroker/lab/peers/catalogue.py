"""Every peer by its name. A module, and with it a library, is imported when its peer is chosen."""

import shutil
from importlib import import_module, metadata

from lightbroker.lab.peers.base import Peer

_PEERS = {
    "LightBroker": "standard.LightBroker",
    "LightBroker SQLite": "lightbroker_stores.LightSqlite",
    "LightBroker SQLite FULL": "lightbroker_stores.LightSqliteFull",
    "LightBroker Redis": "lightbroker_stores.LightRedis",
    "queue.SimpleQueue": "standard.SimpleQueue",
    "queue.Queue": "standard.QueueQueue",
    "asyncio.Queue": "asyncio_queue.AsyncioQueue",
    "janus": "libraries.bridges.Janus",
    "culsans": "libraries.bridges.Culsans",
    "huey memory": "libraries.huey.HueyMemory",
    "huey SQLite": "libraries.huey.HueySqlite",
    "huey Redis": "libraries.huey.HueyRedis",
    "dramatiq stub": "libraries.dramatiq.DramatiqStub",
    "dramatiq Redis": "libraries.dramatiq.DramatiqRedis",
    "kombu memory": "libraries.kombu.Kombu",
    "litequeue": "libraries.litequeue.Litequeue",
    "persist-queue": "libraries.persistqueue.PersistQueue",
    "Redis list": "servers.redis.RedisList",
    "Redis stream": "servers.redis.RedisStream",
    "NATS core": "servers.nats.NatsCore",
    "NATS JetStream": "servers.nats.JetStream",
    "beanstalkd": "servers.beanstalkd.Beanstalkd",
    "RabbitMQ": "servers.rabbitmq.RabbitMQ",
}
NAMES = tuple(_PEERS)  #: of all peers, installed or not
_INSTALL = "is not installed: pip install 'lightbroker[peers]'"


class Unavailable(Exception):
    """A peer cannot be measured here. The text says what to install.

    Attributes:
        missing: The library or the program that the peer needs.
    """

    def __init__(self, missing: str, help: str) -> None:
        super().__init__(f"{missing} {help}")
        self.missing = missing


def load(name: str) -> type[Peer]:
    """Import a peer.

    Args:
        name: One of `NAMES`.

    Raises:
        Unavailable: Its library or its server is not installed.
        KeyError: No peer has that name.
    """
    module, _, kind = _PEERS[name].rpartition(".")
    try:
        found: type[Peer] = getattr(import_module(f"{__package__}.{module}"), kind)
    except ModuleNotFoundError as error:
        if str(error.name).startswith("lightbroker"):
            raise
        raise Unavailable(str(error.name), _INSTALL) from error
    if found.library is not None and not _installed(found.library):
        raise Unavailable(found.library, _INSTALL)
    if found.server is not None and shutil.which(found.server) is None:
        raise Unavailable(found.server, "is not on the PATH")
    return found


def _installed(library: str) -> bool:
    try:
        metadata.version(library)
    except metadata.PackageNotFoundError:
        return False
    return True
