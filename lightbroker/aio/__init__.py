"""LightBroker for coroutines: `AsyncBroker` over the same stores and the same state machine.

    from lightbroker.aio import AsyncBroker

    async with AsyncBroker() as broker:
        await broker.push("blocks", {"number": 1})
        async with broker.pull("blocks") as message:
            print(message.json())

One broker serves threads and any number of event loops at once. Each line imports only from lines above it:

    waiting.py                  waiting without a thread: the twin of storage/waiting.py
    delivery.py                 the verbs of a delivery, to be awaited
    stores.py threaded.py       a store's own transitions, made where they cannot block the loop
    pull.py queue.py topic.py   the twins of queue.py and topic.py
    worker.py                   a pool of coroutines
    broker.py                   the front over a `Broker`
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
