"""The scenarios: what one process is asked to do while it is measured, and how that process is started.

metrics_clients    clients of the metrics server: a scraper, a health probe, slow connections
neighbour          a load beside the broker: a thread or a process that computes
fanout             one topic and many subscribers, and the same with a loop over plain queues
sharing            producers and consumers in processes of their own, which share a file or a server
keyed              messages with keys, partitions, and a worker process for each partition
event_loops        an event loop on one side of a queue or on both
any_peer           what is measured of any peer: one process, several processes, a deep queue
catalogue          every scenario by its name, and those of the queues in memory
worker             the process that measures: a configuration in, a measurement out
experiment         starts each run in a fresh process, in seeded random order, and measures the machine's noise
scrape             what it costs to watch the broker through its metrics server
"""
