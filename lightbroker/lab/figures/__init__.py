"""The committed figures. Each is drawn from a file of results, and its title states the finding with a number from it.

    plots                      the kinds of figure, in one style
    throughput                 over consumers, over the switch interval, with handlers that wait or compute
    latency                    p50, p99 and other percentiles: over the load, by arrivals, beside a busy neighbour
    retries                    the life of a message that fails, and what becomes of it
    pubsub backpressure        slow subscribers; a queue under overload, by policy and by capacity
    watcher                    the block watcher: its chain, its queue, the dashboard of a run
    storage peers              the stores by what they survive; other systems by what they guarantee
    scaling                    worker processes on one Redis, hot partitions, quorums
    architecture               what is connected to what: the picture in the README
    catalogue                  all of them
    __main__                   `make figures`

The function that draws a figure has the name of its file: `hockey_stick` draws `figures/hockey-stick.png`.
"""
