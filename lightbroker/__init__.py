"""LightBroker: a message broker small enough to read in an afternoon, fast and safe enough to embed.

Each line imports only from lines above it:

    errors.py clock.py message.py          nouns: what can go wrong, time, what a user holds
    policy.py                              overflow, retry, options: decisions without I/O
    storage/base.py outcome.py             the contract of a store, one atomic transition per method; shared answers
    storage/steps.py slow.py memory.py     the store in memory: atomic steps, slow paths, hot path
    storage/sqlite_file.py _counts _rows   one file and its transactions; the counts and rows of a queue in it
    storage/sqlite_transitions.py _wait    what becomes of a message; waiting across processes
    storage/sqlite.py                      the store in an SQLite file
    queue.py                               the verbs, in the order of a message's life
    topic.py worker.py                     publish/subscribe on bounded buffers; the worker pool
    broker.py                              named queues and topics over one store
    aio/                                   the same for coroutines, over the same stores
    watcher/                               chain heads -> queue "blocks"
    demo.py __main__.py                    the block pipeline; the command line
    lab/                                   the bench; the core never imports it
"""

from lightbroker.broker import Broker
from lightbroker.clock import ManualClock, SystemClock
from lightbroker.errors import (
    BrokerError,
    InvariantError,
    LeaseLost,
    QueueClosed,
    QueueEmpty,
    QueueFull,
    StoreError,
)
from lightbroker.message import DeadLetter, Delivery, Message
from lightbroker.policy import Overflow, Retry
from lightbroker.queue import Queue
from lightbroker.topic import Subscription
from lightbroker.worker import WorkerPool

__version__ = "0.1.0"

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
