"""The laboratory: measures LightBroker beside other systems, and draws and replays what the notebooks show.

    replay       steps threads in the order of a script, so that a race happens the same way every time
    peers        the systems that are measured, and what each promises
    measure      the instruments: load, latency, statistics, the machine, files of results
    theory       queueing models, the Universal Scalability Law, simulated queues
    scenarios    what a process does while it is measured
    bench        which runs are made, the bars that they have to reach, the tables
    figures      draws the committed figures, each from its file of results
    page         what every notebook begins with: its scale, its machine, its figures

Needs numpy, scipy, matplotlib and rich: `pip install 'lightbroker[lab]'`. The extras "peers" and "notebooks" have more.
"""
