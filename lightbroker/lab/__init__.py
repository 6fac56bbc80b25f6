"""The laboratory: honest measurement of LightBroker and of its peers, and what the notebooks draw and replay.

    replay       threads that are switched where a script says so
    peers        the systems under test, and what each promises
    measure      what one run measures, and how
    theory       queueing models, the Universal Scalability Law, simulated queues
    scenarios    what a process is asked to do while it is measured
    bench        which runs are made, the bars that they have to reach, the tables
    figures      the committed figures, each drawn from its file of results
    page         a notebook's frame: its scale, its machine, its figures

Needs numpy, scipy, matplotlib and rich: `pip install 'lightbroker[lab]'`; the extras "peers" and "notebooks" have more.
"""
