"""The four comparisons of `lightbroker bench`. Each module has its plan, its method, its bars and its tables.

    memory_plan                 which runs compare the memory store with the queues of the standard library
    memory                      those runs, their bars and their tables: `lightbroker bench`
    peers                       LightBroker beside what people use instead: `lightbroker bench --peers`
    storage                     the stores beside other queues that outlive a process: `lightbroker bench --storage`
    event_loops                 queues in an event loop, and between one and a thread: `lightbroker bench --async`

Every module has the same three functions: `study` plans the runs, `judge` compares them with the bars, `show` prints
the tables.
"""
