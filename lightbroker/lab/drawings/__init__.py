"""The figures that are committed: results in, a figure out, whose title states the finding with the number in the file.

drawing.py       what a figure is called, which data it needs, and how it is drawn
experiments.py   those of the measuring notebooks
"""
