"""The store in memory: atomic steps without a lock for push, pull and ack; a lock for everything rarer.

steps    the state of a queue, and the steps that nothing can cut in two
slow     failing, waiting, expiring, dying, under a lock
queue    push, pull and ack
store    queues by name
"""
