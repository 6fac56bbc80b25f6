"""Other queues that run inside the program.

bridges                    janus and culsans, between threads and asyncio
kombu huey dramatiq        messaging and task queues
litequeue persistqueue     queues in an SQLite file
"""
