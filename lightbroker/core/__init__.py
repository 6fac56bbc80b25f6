"""The broker itself, in memory. It needs the standard library alone. Read it from the top of this map.

Each line imports only from itself and from the lines above it:

    errors       what can go wrong, and in which words; checks of arguments
    clock        time, injected
    policy       overflow, retry, and the other options of a queue
    message      what a user holds: message, delivery, dead letter
    histogram    what threads count without a lock
    stats        the numbers of queues, subscriptions and brokers
    waiting      waiting with a time-out
    store        the contract of a store, and the waiting that all stores have in common
    memory       the store in memory: atomic steps, hot path, failing, expiry
    registry     which store a URL names
    queue        the verbs, in the order of a message's life
    topic        publish/subscribe on bounded buffers
    worker       the pool of threads
    broker       named queues and topics over one store
"""
