"""Other queues that run inside the program.

bridges         janus and culsans, which join threads and event loops
kombu           a messaging library, on its transport in memory
huey            a task queue, in memory, in an SQLite file and on Redis
dramatiq        a task queue, in memory and on Redis
litequeue       a queue in an SQLite file
persistqueue    a queue in an SQLite file
"""
