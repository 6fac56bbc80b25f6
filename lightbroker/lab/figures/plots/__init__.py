"""The kinds of figure, in one style: data in, a matplotlib figure out.

    drawing       what a committed figure is called, which data it needs, and how it is drawn
    frame         title, caption, texts beside what they name, and PNG files whose bytes depend on the data alone
    latency       percentiles, heat map, latency over the offered load
    throughput    throughput over workers, with the scalability law and its band
    timeline      the life of a message, in a lane for each state
    system_rows   the names of systems beside their rows, those of LightBroker in blue

A title states what was found, with the measured number, so the caller passes it. Colour-blind readers can tell the
colours apart, and each line carries its name instead of a legend.
"""
