"""The interface of a peer: it passes messages through as its users would, and states what it promises for them.

A system that takes microseconds for a message writes its own loops. A common interface that is called once for each
message would add the same constant to every system, and so make slow systems look better in a ratio. Files and servers
take tens of microseconds and more, so they share the loops of `Stored`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from lightbroker.lab.peers.temporary import REDIS, folder, redis_server

Record = Callable[[bytes], object]  #: what a consumer does with a body: keep it, or note the time and keep it
STOP = b""  #: the body after which a consumer returns; it is acked like any other but not recorded
MOMENT = 0.05  #: seconds for which `Stored.work` waits for a message
POLL = 0.001  #: seconds between two looks at a system that cannot wait for a message itself


@dataclass(frozen=True, kw_only=True)
class Promises:
    """The promises of a system for a message, besides passing it on. They hold for the system as it is set up here.

    A measured number says little without the promises that were kept meanwhile.

    Attributes:
        bounded: It can be told how many messages to hold at most.
        ack: It keeps a message that was taken until the consumer acknowledges it.
        lease: It delivers the message of a dead consumer again, without anybody's help.
        retry: It tries a failed message again by itself, a limited number of times.
        dead_letters: It keeps apart the messages that it gave up on.
        durable: What it holds outlives its process.
        across_threads: Threads may share it.
        across_processes: Processes may share it.
        batches: It has calls for many messages at once.
        note: What the other entries do not say.
    """

    bounded: bool = False
    ack: bool = False
    lease: bool = False
    retry: bool = False
    dead_letters: bool = False
    durable: bool = False
    across_threads: bool = True
    across_processes: bool = False
    batches: bool = False
    note: str = ""


class Peer(ABC):
    """A system under test. It passes bodies from producers to consumers by the calls that its users would make.

    Attributes:
        name: Of the system, in the tables and in `catalogue`.
        promises: What it promises for a message.
        library: Its distribution on PyPI, if it needs one.
        server: The program of its server, if it needs one.
    """

    name: ClassVar[str]
    promises: ClassVar[Promises]
    library: ClassVar[str | None] = None
    server: ClassVar[str | None] = None

    @classmethod
    def open(cls) -> "AbstractContextManager[Peer]":
        """Return a context with an empty system, and with the file or the server that it needs."""
        return closing(cls())

    @abstractmethod
    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """Send, receive and ack each body before the next one, on this thread."""

    def batch(self, batches: Sequence[Sequence[bytes]], record: Record) -> None:
        """Send, receive and ack each batch before the next one, on this thread, by batch calls if there are any."""
        for bodies in batches:
            self.cycle(bodies, record)

    @abstractmethod
    def acked(self, sent: int) -> int | None:
        """Return how many of the `sent` bodies, STOP included, were acknowledged; None if the system does not tell."""

    def check(self) -> None:  # noqa: B027 - a system without a check of its own has nothing to do
        """Raise an error if the system's own counts contradict each other."""

    def close(self) -> None:  # noqa: B027 - a system without resources has nothing to do
        """Release what the system holds."""


class System(Peer):
    """A queue between the threads or the tasks of one process.

    Attributes:
        put: Sends a body, from any thread.
    """

    put: Callable[[bytes], object]

    @abstractmethod
    def __init__(self, capacity: int | None = None) -> None:
        """Make an empty queue for at most `capacity` messages; None is unbounded."""

    @abstractmethod
    def consume(self, record: Record) -> None:
        """Receive, record and ack messages until STOP."""

    def start_consumers(self, pool: Executor, records: Sequence[Record]) -> list[Future[None]]:
        """Start one consumer for each record."""
        return [pool.submit(self.consume, record) for record in records]


class Stored(Peer):
    """A system that keeps its messages in a file or a server, with an address that several processes can open."""

    @abstractmethod
    def __init__(self, address: str) -> None: ...

    @classmethod
    @abstractmethod
    def home(cls) -> AbstractContextManager[str]:
        """Return a context with an empty file or server, which gives its address."""

    @classmethod
    @contextmanager
    def open(cls) -> "Iterator[Stored]":
        """Return a context with an empty system on a file or server of its own."""
        with cls.home() as address, closing(cls(address)) as peer:
            yield peer

    @abstractmethod
    def send(self, bodies: Sequence[bytes]) -> None:
        """Send the bodies, by one call if the system has a call for many."""

    @abstractmethod
    def work(self, most: int, record: Record) -> int:
        """Receive, record and ack at most that many messages; return how many, 0 if none came within `MOMENT`."""

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """Send, receive and ack each body before the next one."""
        for body in bodies:
            self.send((body,))
            while not self.work(1, record):
                pass

    def batch(self, batches: Sequence[Sequence[bytes]], record: Record) -> None:
        """Send, receive and ack each batch before the next one."""
        for bodies in batches:
            self.send(bodies)
            left = len(bodies)
            while left:
                left -= self.work(left, record)


class FileStored(Stored):
    """A system that keeps its messages in one file."""

    @classmethod
    @contextmanager
    def home(cls) -> Iterator[str]:
        """Return a context with the path of a file in a temporary folder."""
        with folder() as path:
            yield str(path / "bench.db")


class RedisStored(Stored):
    """A system that keeps its messages on a Redis server, which writes nothing to the disk here."""

    server = REDIS

    @classmethod
    @contextmanager
    def home(cls) -> Iterator[str]:
        """Return a context with the URL of a server of its own."""
        with redis_server() as url:
            yield url
