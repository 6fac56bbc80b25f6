"""The instruments: honest measurement of LightBroker and of its peers. The core never imports them.

    stats.py          percentiles that the sample supports, bootstrap intervals, paired ratios
    machine.py        what the numbers were measured on
    audit.py          numbered bodies, and what became of them: lost, duplicated, unknown
    peers.py aio.py   the systems under test and what each promises
    load.py           closed loop (peak throughput) and open loop (latency from the planned time)
    results.py        one run's configuration and measurement; the JSON file that figures are drawn from
    scenarios.py      what one process measures
    worker.py         the process: a configuration in, a measurement out
    experiment.py     fresh processes in seeded random order, with a jitter canary beside them
    plan.py bars.py   which runs the bench makes, and what they have to reach
    scrape.py clients.py  what watching the broker costs; the clients of its server, in processes of their own
    report.py         the tables on the terminal
    bench.py          the command line

Needs numpy and rich: `pip install 'lightbroker[lab]'`.
"""
