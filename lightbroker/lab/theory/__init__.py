"""Queueing theory, scalability laws, and simulated queues.

queueing      queueing models: M/M/1, M/M/c, M/D/1, M/M/1/K, G/G/c, and a server that pauses
usl           the Universal Scalability Law, and its fit to measured throughput
simulation    a simulated queue with one server or several
partitions    partitions by key, consumer groups, and replicas
prediction    the wait that theory predicts for measured arrivals and services, and what speaks against it
"""
