"""What a peer is: it passes messages through in its own idiom, and says what it promises for them.

No adapter stands between the loop and the queue where that could be felt: a system that takes microseconds writes its
own loops, because a common interface called once per message would add the same constant to every system and so
flatter the slow ones' ratio. Files and servers, which take tens of them and more, share the loops of `Stored`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import ClassVar

Record = Callable[[bytes], object]  #: what a consumer does with a body: keep it, or note the time and keep it
STOP = b""  #: the body after which a consumer returns; it is settled like any other but not recorded
MOMENT = 0.05  #: seconds for which `Stored.work` waits for a message
POLL = 0.001  #: seconds between two looks, where a system cannot wait for a message itself


@dataclass(frozen=True, kw_only=True)
class Promises:
    """What a system does for a message besides passing it on, as it is set up here; a number is worth little without.

    bounded: it can be told how many messages to hold at most; ack: a message that was taken is kept until its consumer
    says that it is done; lease: what a dead consumer took is delivered again without anybody's help; retry: what failed
    is tried again by itself, a limited number of times; dead_letters: what was given up is kept apart; durable: what it
    holds outlives its process; across_threads, across_processes: who may share it; batches: there are calls for many
    messages at once; note: what the words do not say.
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
    """Passes bodies from those who send to those who receive, in the idiom of the system that it stands for.

    library: its distribution on PyPI; server: the program that it starts.
    """

    name: ClassVar[str]
    promises: ClassVar[Promises]
    library: ClassVar[str | None] = None
    server: ClassVar[str | None] = None

    @classmethod
    def open(cls) -> "AbstractContextManager[Peer]":
        """An empty one, with the file or the server that it needs, until the context ends."""
        return closing(cls())

    @abstractmethod
    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """Pass each body through before the next one, on this thread, with the acknowledgement where there is one."""

    def batch(self, batches: Sequence[Sequence[bytes]], record: Record) -> None:
        """Pass each batch through before the next one, on this thread, by batch calls where the system has any."""
        for bodies in batches:
            self.cycle(bodies, record)

    @abstractmethod
    def acked(self, sent: int) -> int | None:
        """How many of the `sent` bodies, STOP included, were acknowledged; None if the system does not tell."""

    def check(self) -> None:  # noqa: B027 - a system without a self-check has nothing to do
        """Raise if the system's own books do not balance."""

    def close(self) -> None:  # noqa: B027 - nor has one without resources
        """Give up what the system holds."""


class System(Peer):
    """A queue between the threads or tasks of one process. `capacity=None` means unbounded."""

    put: Callable[[bytes], object]  #: from any thread

    @abstractmethod
    def __init__(self, capacity: int | None = None) -> None: ...

    @abstractmethod
    def consume(self, record: Record) -> None:
        """Receive, record and settle until STOP."""

    def start_consumers(self, pool: Executor, records: Sequence[Record]) -> list[Future[None]]:
        """Start one consumer for each record."""
        return [pool.submit(self.consume, record) for record in records]


class Stored(Peer):
    """Keeps messages in a file or a server, which has an address that several may open."""

    @abstractmethod
    def __init__(self, address: str) -> None: ...

    @classmethod
    @abstractmethod
    def home(cls) -> AbstractContextManager[str]:
        """An empty place for messages, until the context ends; gives its address."""

    @classmethod
    @contextmanager
    def open(cls) -> "Iterator[Stored]":
        """One with a place of its own."""
        with cls.home() as address, closing(cls(address)) as peer:
            yield peer

    @abstractmethod
    def send(self, bodies: Sequence[bytes]) -> None:
        """Send the bodies, many by one call if the system has such a call."""

    @abstractmethod
    def work(self, most: int, record: Record) -> int:
        """Receive at most so many messages, record and settle them; how many. 0: for a moment there was none."""

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """Send, receive, settle."""
        for body in bodies:
            self.send((body,))
            while not self.work(1, record):
                pass

    def batch(self, batches: Sequence[Sequence[bytes]], record: Record) -> None:
        """Send, receive, settle, by batch calls where there are any."""
        for bodies in batches:
            self.send(bodies)
            left = len(bodies)
            while left:
                left -= self.work(left, record)
