"""beanstalkd, a server for work queues. A consumer reserves a job for a limited time."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from greenstalk import Client

from lightbroker.lab.peers.base import Peer, Promises, Record
from lightbroker.lab.peers.temporary import HOST, serving


class Beanstalkd(Peer):
    """beanstalkd on a server of its own.

    The job of a dead consumer comes back after its time to run. A failed job is not retried by itself: the consumer
    releases or buries it, and somebody kicks a buried one. It has no bound. The server could write a log that survives
    it, but here it writes none.
    """

    name = "beanstalkd"
    library = "greenstalk"
    server = "beanstalkd"
    promises = Promises(
        ack=True,
        lease=True,
        dead_letters=True,
        across_processes=True,
        note="after the time to run; jobs are released, buried and kicked by hand; no log here",
    )

    def __init__(self, port: int) -> None:
        self.client: Client[bytes] = Client((HOST, port), encoding=None)

    @classmethod
    @contextmanager
    def open(cls) -> "Iterator[Beanstalkd]":
        """Return a context with the server, and a connection to it."""
        with (
            serving(lambda port, home: ("beanstalkd", "-l", HOST, "-p", str(port))) as port,
            closing(cls(port)) as peer,
        ):
            yield peer

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """Use `put`, `reserve` and `delete`."""
        put, reserve, delete = self.client.put, self.client.reserve, self.client.delete
        for body in bodies:
            put(body)
            job = reserve()
            record(job.body)
            delete(job)

    def acked(self, sent: int) -> int:
        """Return the server's count of deleted jobs."""
        return self.client.stats_tube("default")["cmd-delete"]

    def close(self) -> None:
        """Close the connection."""
        self.client.close()
