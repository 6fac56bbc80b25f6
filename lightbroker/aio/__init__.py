"""LightBroker for coroutines: `AsyncBroker` over the same stores and the same state machine.

    from lightbroker.aio import AsyncBroker

    async with AsyncBroker() as broker:
        await broker.push("blocks", {"number": 1})
        async with broker.pull("blocks") as message:
            print(message.json())

One broker serves threads and any number of event loops at once. Each line imports only from lines above it:

    waiting delivery    waiting without a thread, the twin of core.waiting; the verbs of a delivery, to be awaited
    stores              what a queue of coroutines asks of a store
    pull                waiting for a message, as an awaitable and as a context
    queue               the twin of core.queue
    direct threaded     a store's own transitions, made where they cannot block the loop
    topic worker        subscriptions; a pool of coroutines
    broker              the front over a `Broker`
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
