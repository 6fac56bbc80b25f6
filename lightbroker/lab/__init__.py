"""The instruments: honest measurement of LightBroker and of its peers. The core never imports them.

    stats.py          percentiles that the sample supports, bootstrap intervals, paired ratios, the noise floor
    theory.py usl.py  queueing models; the Universal Scalability Law and its fit
    simulation.py     a simulated queue, the theory's second oracle
    partitions.py keyed.py  partitions by key and replicas, simulated; the same on a store, in processes
    prediction.py     measured times in, predicted wait out, and which assumptions failed
    machine.py        what the numbers were measured on
    audit.py          numbered bodies, and what became of them: lost, duplicated, unknown
    process.py        the measuring process itself: its collector and its memory
    peers/            the systems under test and what each promises
    arrivals.py       planned arrivals: constant, Poisson, bursts, on-off, recorded blocks
    handlers.py       what consumers do: nothing, sleep, compute, fail, pause
    service.py        consumers that handle what they receive, and note when
    times.py          what became of each message when
    pacer.py          a sender's clock in a process of its own; neighbour.py: a load beside the broker
    load.py           closed loop (peak throughput), open loop (latency from the planned time), request loop
    curves.py         a run's latencies, reduced to a ladder of percentiles and a heat map
    results.py        one run's configuration and measurement; the JSON files that figures are drawn from
    crowd.py          producers and consumers in processes of their own
    exchange.py       what is measured of any peer: one process, several, a deep queue
    async_scenarios.py  what is measured with an event loop on one side or on both
    scenarios.py      what one process measures
    worker.py         the process: a configuration in, a measurement out
    experiment.py     fresh processes in seeded random order, with a jitter canary beside them
    plan.py bars.py   which runs the bench makes, and what they have to reach
    scrape.py clients.py  what watching the broker costs; the clients of its server, in processes of their own
    report.py         the tables on the terminal
    study.py          one experiment of the bench: its runs, its bars and its tables
    comparison.py     LightBroker beside what people use instead
    storage.py        the stores beside other queues that outlive a process
    async_study.py    a queue in an event loop and between one and a thread
    against.py        this working copy beside an earlier revision of itself
    bench.py          the command line of the bench
    experiments.py    the questions of the measuring notebooks, and the runs that answer them
    campaign.py       `make experiments`: all of them, to go on with after an interruption
    plots/            the kinds of figure, in one style
    drawings/         the figures that are committed: which plot, of what, and the finding as its title
    figures.py        `make figures`: each figure from its file of results
    readme.py         the tables of numbers in the README, from the committed results
    replay.py         threads that are switched where a script says so
    page.py           a notebook's frame: its scale, its machine, its figures

Needs numpy, scipy, matplotlib and rich: `pip install 'lightbroker[lab]'`; the extras "peers" and "notebooks" have more.
"""
