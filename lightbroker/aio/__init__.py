"""LightBroker for coroutines: `AsyncBroker` has the verbs of `Broker`, to be awaited, over the same stores.

    from lightbroker.aio import AsyncBroker

    async with AsyncBroker() as broker:
        await broker.push("blocks", {"number": 1})
        async with broker.pull("blocks") as message:
            print(message.json())

One broker serves threads and any number of event loops at once. Every await can be cancelled without losing a message;
each module says why. Each line imports only from lines above it:

    waiting delivery    the counterpart of core.waiting; what a coroutine can do with a message
    pull store          a pull, to be awaited or entered; a queue in a store, as coroutines call it
    queue               the counterpart of core.queue
    direct threaded     the hot path over memory; stores that do I/O, called in threads
    lazy                a `Broker`, opened when it is first used
    topic worker        subscriptions; a pool of coroutines
    broker              queues and topics by name
"""

from lightbroker.aio.broker import AsyncBroker
from lightbroker.aio.delivery import AsyncDelivery
from lightbroker.aio.pull import AsyncPull
from lightbroker.aio.queue import AsyncDeadLetterQueue, AsyncQueue
from lightbroker.aio.topic import AsyncSubscription
from lightbroker.aio.worker import AsyncWorkerPool

__all__ = [
    "AsyncBroker",
    "AsyncDeadLetterQueue",
    "AsyncDelivery",
    "AsyncPull",
    "AsyncQueue",
    "AsyncSubscription",
    "AsyncWorkerPool",
]
