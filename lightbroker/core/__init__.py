"""The broker itself, in memory. It needs the standard library alone. Read it from the top of this map.

Each line imports only from itself and from the lines above it:

    errors clock policy      what can go wrong; time; overflow, retry and options of a queue
    message histogram        what a user holds; what threads count without a lock
    stats waiting            the numbers of queues, subscriptions and brokers; waiting with a time-out
    store                    the contract of a store, and the waiting that all stores have in common
    memory                   the store in memory: atomic steps, hot path, failing, expiry
    registry                 which store a URL names
    queue                    the verbs, in the order of a message's life
    topic                    publish/subscribe on bounded buffers
    worker                   the pool of threads
    broker                   named queues and topics over one store
"""
