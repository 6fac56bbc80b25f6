"""All peers by name. A module, and with it a library, is loaded when its peer is chosen; what is missing is named."""

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
NAMES = tuple(_PEERS)
_INSTALL = "is not installed: pip install 'lightbroker[peers]'"


class Unavailable(Exception):
    """A peer cannot be measured here: it lacks `missing`, a library or a program; the text says how to help."""

    def __init__(self, missing: str, help: str) -> None:
        super().__init__(f"{missing} {help}")
        self.missing = missing


def load(name: str) -> type[Peer]:
    """The peer of that name; raises Unavailable if its library or its server is missing, KeyError for another name."""
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
