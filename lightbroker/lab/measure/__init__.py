"""What one run measures, and how.

audit stats process    numbered bodies and what became of them; statistics that say what the sample supports
results curves         one run's configuration and measurement, and the JSON files; a run's latencies, reduced
arrivals pacer         planned arrivals; a sender's clock in a process of its own
machine handlers       what the numbers were measured on; what consumers do with a message
service                consumers that handle what they receive, and note when
times                  what became of each message when
load                   closed loop (peak throughput), open loop (latency from the planned time), request loop
"""
