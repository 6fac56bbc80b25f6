"""The scenarios that a process can be measured in, and the module that starts such processes.

metrics_clients    clients of the metrics server: a scraper, a health probe, slow connections
neighbour          a load beside the broker: a thread or a process that computes
fanout             one topic and many subscribers, and the same with a loop over plain queues
sharing            producers and consumers in processes of their own, which share a file or a server
keyed              messages with keys, partitions, and worker processes
event_loops        an event loop on one side of a queue or on both
any_peer           what is measured of any peer: one process, several processes, a deep queue
in_memory          what is measured of the queues in memory
catalogue          every scenario by its name
worker             the process that measures: a configuration in, a measurement out
experiment         starts each run in a fresh process, in seeded random order, and measures the machine's noise
scrape             what it costs to watch a broker through its metrics server
"""
