"""Figures: data in, a matplotlib figure out, with the finding as its title and the machine in its last line.

    drawing       what a committed figure is called, which data it needs, and how it is drawn
    frame         title, caption, direct labels, and PNG files whose bytes depend on the data alone
    latency       percentiles on a nines axis, cumulative distribution, heat map, hockey stick
    throughput    throughput over workers, with the scalability law and its band
    life          a message's life in swim lanes; depth and memory over time

Titles state what was found, with the measured number, so the caller passes them. Colours can be told apart by
colour-blind readers, and lines carry their names.
"""
