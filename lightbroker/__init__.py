"""LightBroker: a message broker small enough to read in an afternoon, fast and safe enough to embed.

Each line imports only from lines above it:

    errors.py clock.py message.py          nouns: what can go wrong, time, what a user holds
    pattern.py policy.py                   which topics match; overflow, retry, options: decisions without I/O
    storage/base.py outcome.py             the contract of a store, one atomic transition per method; shared answers
    storage/steps.py slow.py memory.py     the store in memory: atomic steps, slow paths, hot path
    storage/sqlite_connection.py _file     opening a file safely; transactions that threads share
    storage/sqlite_counts.py _rows         the counts and rows of a queue in it
    storage/sqlite_transitions.py _wait    what becomes of a message; waiting across processes
    storage/sqlite.py                      the store in an SQLite file
    storage/lua/ redis_scripts.py          the transitions as scripts that Redis runs; what is sent to run them
    storage/redis_records.py _commands     how things look in Redis; what is asked of a queue, and the answers: no I/O
    storage/redis_url.py _trouble _link    where it is; what goes wrong; connections that are replaced
    storage/redis_wait.py _runs _queue     waiting across processes; the methods of a queue
    storage/redis_routes.py _inbox _topics topics that cross processes: who listens, hearing, publishing
    storage/redis.py                       the store in Redis
    histogram.py                           what threads count without a lock
    queue.py                               the verbs, in the order of a message's life
    topic.py shared_topic.py               publish/subscribe on bounded buffers, in a process and across processes
    worker.py                              the worker pool
    broker.py                              named queues and topics over one store
    aio/                                   the same for coroutines, over the same stores
    process.py metrics.py health.py        its numbers for Prometheus; is it well?
    http.py listener.py site.py server.py  GET /metrics, /health and a live page
    watcher/                               chain heads -> queue "blocks"
    demo.py terminal.py                    the block pipeline on a recorded chain, and its report
    cli/ __main__.py                       the command line
    lab/                                   the bench and the instruments of the notebooks; the core never imports it
"""

import logging

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

__version__ = "1.0.0"

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
