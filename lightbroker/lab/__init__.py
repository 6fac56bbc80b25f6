"""The instruments: honest measurement of LightBroker and of its peers. The core never imports them.

    stats.py          percentiles that the sample supports, bootstrap intervals, paired ratios
    machine.py        what the numbers were measured on
    audit.py          numbered bodies, and what became of them: lost, duplicated, unknown
    process.py        the measuring process itself: its collector and its memory
    peers/            the systems under test and what each promises
    load.py           closed loop (peak throughput) and open loop (latency from the planned time)
    results.py        one run's configuration and measurement; the JSON file that figures are drawn from
    crowd.py          producers and consumers in processes of their own
    exchange.py       what is measured of any peer: one process, several, a deep queue
    scenarios.py      what one process measures
    worker.py         the process: a configuration in, a measurement out
    experiment.py     fresh processes in seeded random order, with a jitter canary beside them
    plan.py bars.py   which runs the bench makes, and what they have to reach
    report.py         the tables on the terminal
    study.py          one experiment of the bench: its runs, its bars and its tables
    comparison.py     LightBroker beside what people use instead
    storage.py        the stores beside other queues that outlive a process
    bench.py          the command line

Needs numpy and rich: `pip install 'lightbroker[lab]'`; the peers need `pip install 'lightbroker[peers]'`.
"""
