"""The store in memory: atomic steps without a lock for push, pull and ack; a lock for everything rarer.

steps       the state of a queue, and the steps that no thread and no signal can cut in two: start here
expiry      what falls due, and when
failing     retries, dead letters, redriving, expiring
overflow    what a full queue does
batches     many messages at once
queue       push, pull and ack
store       queues by name
"""
