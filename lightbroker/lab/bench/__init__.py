"""The bench: which runs are made, the bars that they have to reach, and the tables.

systems         the names of the systems that are compared, and which of them can be measured here
study bars      what a study is; the usable values of its runs, and how well they meet a bar
report          the tables and the progress bar on the terminal
studies         the four comparisons of `lightbroker bench`: memory, peers, storage, event loops
main            `lightbroker bench`: measures one of them
experiments     the questions of the measuring notebooks, and the runs that answer them
campaign        `make experiments`: measures all of those
against         `python -m lightbroker.lab.bench.against REVISION`: this working copy beside an earlier revision
readme          `python -m lightbroker.lab.bench.readme`: renews the tables in the README
"""
