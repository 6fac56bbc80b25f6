"""GET /metrics for Prometheus, GET /health, a live page and the dead letters, on the standard library alone.

process http       what the operating system says of the process; the little of HTTP that a server needs
metrics health     the numbers of a broker for Prometheus; is it well?
listener           connections, and threads that answer them
site               what is to be seen of a broker
server             the server
"""

from lightbroker.server.server import MetricsServer

__all__ = ["MetricsServer"]
