"""The committed figures: results in, a figure out, whose title states the finding with the number in the file.

plots                                    the kinds of figure, in one style
architecture experiments                 what is connected to what; the figures of the measuring notebooks
queue pubsub backpressure retries        the figures of the notebook on that
watcher storage peers scaling            the figures of the notebook on that
catalogue                                all of them
__main__                                 `make figures`
"""
