"""The figures that are committed: results in, a figure out, whose title states the finding with the number in the file.

drawing.py        what a figure is called, which data it needs, and how it is drawn
architecture.py   what is connected to what
experiments.py    of the measuring notebooks, from the results of `make experiments`
queue.py pubsub.py backpressure.py retries.py watcher.py storage.py peers.py scaling.py   of the notebook on that
"""
