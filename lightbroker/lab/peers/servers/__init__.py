"""Other queues that need a server. Each is started for the run and stopped after it.

redis         Redis without a queue library: a list, and a stream with a consumer group
nats          NATS core and JetStream
beanstalkd    beanstalkd
rabbitmq      RabbitMQ
"""
