"""The instruments: loops that make load, records of a run, statistics, and files of results.

audit            numbered bodies, and a count of those that were lost, duplicated or unknown
stats            percentiles that need enough samples, medians with an interval, ratios paired by block
results          a run's configuration and measurement, and the JSON files that keep them
curves           the latencies of a run as two curves: the ladder of percentiles and the heat map
arrivals         when messages are planned to arrive: constant, Poisson, bursts, on-off, recorded blocks
pacer            a process that wakes a sender on time, so that no GIL delays the timer
machine          the machine and the software that the numbers were measured on
memory           the memory of the measuring process, and its garbage collector
handlers         what a consumer does with a message: nothing, sleep, compute, fail, pause
consumers        consumers that run a handler and note when each message was received and acked
message_times    when each message was planned, sent, received and acked
load             the loops that make load: closed (peak throughput), open (latency), request (how not to measure)
"""
