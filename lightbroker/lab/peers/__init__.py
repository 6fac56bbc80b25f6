"""The systems under test: LightBroker and what people use instead. None is imported before it is chosen.

    base.py                 what a peer is and what it promises
    server.py               a server on a free port of the loopback interface, started here and stopped again
    standard.py aio.py      the queues of the standard library, and LightBroker in memory
    light.py                LightBroker on SQLite and on Redis
    bridges.py              janus and culsans, between threads and asyncio
    kombu.py huey.py dramatiq.py            task queues and messaging
    litequeue.py persistqueue.py            queues in an SQLite file
    redis.py nats.py beanstalkd.py rabbitmq.py    servers
    catalogue.py            all of them by name, and why one is missing

Needs the extra "peers": `pip install 'lightbroker[peers]'`, and for the servers their programs on the PATH.
"""
