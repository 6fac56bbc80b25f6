"""A broker over HTTP: GET /metrics for Prometheus, GET /health, a live page, and the dead letters of each queue.

It needs the standard library alone. The server only shows: no request changes the broker.

process           what the operating system knows of this process
http              the part of HTTP/1.1 that the server needs
metrics           the broker's numbers in Prometheus' text format
health            what decides /health
dead_letter       a dead letter as JSON
site              which path is answered with what
listener          the threads that hold the connections and answer the requests
metrics_server    MetricsServer: the server, to start and to close
"""

from lightbroker.server.metrics_server import MetricsServer

__all__ = ["MetricsServer"]
