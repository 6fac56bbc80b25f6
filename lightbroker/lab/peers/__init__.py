"""The peers: LightBroker and what people use instead, each behind the same few methods.

A peer's docstring says how it is set up here and what it does not promise. No peer is imported before it is chosen.

temporary             temporary folders, free ports, and servers that are stopped at the end of a context
base                  what a peer has to do, and the list of promises
standard              `queue.Queue`, `queue.SimpleQueue`, and LightBroker in memory
event_loops           queues with an event loop on one side or on both
asyncio_queue         `asyncio.Queue` under load from threads
lightbroker_stores    LightBroker on SQLite and on Redis
libraries             other queues that run inside the program
servers               other queues that need a server
catalogue             every peer by its name, and what to install where one is missing

Needs the extra "peers": `pip install 'lightbroker[peers]'`, and for the servers their programs on the PATH.
"""
