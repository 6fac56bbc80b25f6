"""Other queues that need a server.

redis nats beanstalkd rabbitmq    each on a server of its own, started for the run
"""
