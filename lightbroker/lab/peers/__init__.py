"""The systems under test: LightBroker and what people use instead. None is imported before it is chosen.

    base                    what a peer is, and what it promises
    server                  a server on a free port of the loopback interface, started here and stopped again
    standard aio            the queues of the standard library, and LightBroker in memory
    light loops             LightBroker on SQLite and Redis; queues with an event loop on one side or on both
    libraries servers       other queues that run inside the program, and those that need a server
    catalogue               all of them by name, and why one is missing

Needs the extra "peers": `pip install 'lightbroker[peers]'`, and for the servers their programs on the PATH.
"""
