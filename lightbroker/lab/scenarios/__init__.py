"""What a process is asked to do while it is measured, and how it is started.

clients neighbour fanout    clients of the metrics server; a load beside the broker; one topic to many
crowd keyed loops           processes that share a store, with keys too; an event loop on one side or on both
exchange                    what is measured of any peer: one process, several, a deep queue
catalogue                   every scenario by its name
worker                      the fresh process: a configuration in, a measurement out
experiment                  fresh processes in seeded random order, with a jitter canary beside them
scrape                      what watching the broker costs
"""
