"""beanstalkd: a server for work queues, whose jobs are reserved for a time."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from greenstalk import Client

from lightbroker.lab.peers.base import Peer, Promises, Record
from lightbroker.lab.peers.temporary import HOST, serving


class Beanstalkd(Peer):
    """`put`, `reserve`, `delete`, on a server of its own."""

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
        """Start the server."""
        with (
            serving(lambda port, home: ("beanstalkd", "-l", HOST, "-p", str(port))) as port,
            closing(cls(port)) as peer,
        ):
            yield peer

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """put, reserve, delete."""
        put, reserve, delete = self.client.put, self.client.reserve, self.client.delete
        for body in bodies:
            put(body)
            job = reserve()
            record(job.body)
            delete(job)

    def acked(self, sent: int) -> int:
        """The server's count of deleted jobs."""
        return self.client.stats_tube("default")["cmd-delete"]

    def close(self) -> None:
        """Close the connection."""
        self.client.close()
