"""A message broker to embed: queues, publish/subscribe and worker pools, for threads and coroutines alike.

    broker = Broker()                                   in memory; or "sqlite:///path.db", "redis://host:6379/0"
    queue = broker.queue("blocks", capacity=1000)       declare a queue, with what it does when it is full
    broker.push("blocks", {"number": 1})                accept a message: bytes, text, or anything JSON can hold
    with broker.pull("blocks") as message: ...          lease one; acked at the end, retried after an exception
    with broker.workers("blocks", handle): ...          threads that call handle(message) for each
    broker.dlq("blocks").redrive()                      what failed for good, delivered again
    broker.publish("chain.heads", body)                 a copy for each subscriber of a matching topic
    broker.subscribe("chain.*")                         a bounded buffer of what is published
    broker.bind("chain.*", "blocks")                    a topic that feeds a queue
    broker.stats()  broker.trace(id)  broker.check()    numbers, one message's life, the conservation law
    Broker(clock=ManualClock())                         time that moves when a test says so

`lightbroker.aio.AsyncBroker` has the same names for coroutines, `lightbroker.server.MetricsServer` shows a broker to
Prometheus, and `lightbroker.watcher` follows a blockchain into a queue.
"""

import logging

from lightbroker import stores  # noqa: F401 - registers the schemes of URLs
from lightbroker.core.broker import Broker
from lightbroker.core.clock import ManualClock, SystemClock
from lightbroker.core.errors import (
    BrokerError,
    InvariantError,
    LeaseLost,
    QueueClosed,
    QueueEmpty,
    QueueFull,
    StoreError,
)
from lightbroker.core.message import DeadLetter, Delivery, Message
from lightbroker.core.policy import Overflow, Retry
from lightbroker.core.queue import Queue
from lightbroker.core.topic.subscription import Subscription
from lightbroker.core.worker import WorkerPool

__version__ = "2.0.0.dev0"

# The layout, from the inside out. Each line imports only from itself and from the lines above it; the folders say the
# same of their modules in their own docstrings. tests/test_layers.py reads both.
_LAYOUT = """
    core            READ THIS FIRST: the broker, its queues, topics and workers, in memory; standard library only
    stores          optional: stores that outlive the process, SQLite and Redis; the registry of their URLs
    aio             optional: the same broker for coroutines
    server          optional: metrics, health, a live page over HTTP
    watcher         optional: chain heads -> queue "blocks", and the demo
    cli __main__    optional: the command line
    lab             the laboratory: instruments, benches, peers, theory and figures of the notebooks
"""

__all__ = [
    "Broker",
    "BrokerError",
    "DeadLetter",
    "Delivery",
    "InvariantError",
    "LeaseLost",
    "ManualClock",
    "Message",
    "Overflow",
    "Queue",
    "QueueClosed",
    "QueueEmpty",
    "QueueFull",
    "Retry",
    "StoreError",
    "Subscription",
    "SystemClock",
    "WorkerPool",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())  # records go where the program sends them, or nowhere
