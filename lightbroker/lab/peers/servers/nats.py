"""NATS core, which keeps no message, and JetStream, which keeps a message until it is acked."""

import asyncio
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, ClassVar

import nats
from nats.js.api import RetentionPolicy, StorageType, StreamConfig

from lightbroker.lab.peers.base import Peer, Promises, Record
from lightbroker.lab.peers.temporary import HOST, serving

_SUBJECT = "bench"


class NatsPeer(Peer):
    """A connection to a server of its own. The client needs an event loop, which this peer owns.

    Attributes:
        jetstream: Whether the server runs with JetStream.
    """

    library = "nats-py"
    server = "nats-server"
    jetstream: ClassVar[bool] = False

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._connect(url))

    @classmethod
    @contextmanager
    def open(cls) -> "Iterator[NatsPeer]":
        """Return a context with the server, and a connection to it."""
        with (
            serving(
                lambda port, home: (
                    *("nats-server", "-a", HOST, "-p", str(port)),
                    *(("-js", "-sd", str(home)) if cls.jetstream else ()),
                )
            ) as port,
            closing(cls(f"nats://{HOST}:{port}")) as peer,
        ):
            yield peer

    async def _connect(self, url: str) -> None:
        self._client = await nats.connect(url)
        await self._subscribe()

    @abstractmethod
    async def _subscribe(self) -> None: ...

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """Publish, receive, and ack if there is an acknowledgement."""
        self._loop.run_until_complete(self._cycle(bodies, record))

    @abstractmethod
    async def _cycle(self, bodies: Sequence[bytes], record: Record) -> None: ...

    def close(self) -> None:
        """Close the connection and the event loop."""
        self._loop.run_until_complete(self._client.close())
        self._loop.close()


class NatsCore(NatsPeer):
    """NATS core: a subject with one subscriber.

    It promises nothing for a message that was delivered, as there is no acknowledgement. It delivers only to those who
    are subscribed at the moment, and a slow subscriber loses messages. The server keeps nothing.
    """

    name = "NATS core"
    promises = Promises(
        bounded=True, across_processes=True, note="to who is subscribed; a slow subscriber loses messages"
    )

    async def _subscribe(self) -> None:
        self._subscription = await self._client.subscribe(_SUBJECT)

    async def _cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        publish, receive = self._client.publish, self._subscription.next_msg
        for body in bodies:
            await publish(_SUBJECT, body)
            record((await receive()).data)

    def acked(self, sent: int) -> None:
        """Return None: there is no acknowledgement."""


class JetStream(NatsPeer):
    """NATS JetStream: a work-queue stream in memory with one pull consumer.

    It honours a late ack, also when another consumer has the message by then. Messages that it gave up on are not kept
    apart. The stream is in memory, so nothing outlives the server. Acks are not confirmed here: one that is lost on the
    way causes another delivery.
    """

    name = "NATS JetStream"
    jetstream = True
    promises = Promises(
        bounded=True,
        ack=True,
        lease=True,
        retry=True,
        across_processes=True,
        note="a stream in memory; late acks are honoured; acks are not confirmed here",
    )

    async def _subscribe(self) -> None:
        self._stream = self._client.jetstream()
        await self._stream.add_stream(
            StreamConfig(
                name=_SUBJECT, subjects=[_SUBJECT], storage=StorageType.MEMORY, retention=RetentionPolicy.WORK_QUEUE
            )
        )
        self._subscription: Any = await self._stream.pull_subscribe(_SUBJECT, durable="workers")

    async def _cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        publish, fetch = self._stream.publish, self._subscription.fetch
        for body in bodies:
            await publish(_SUBJECT, body)
            [message] = await fetch(1)
            record(message.data)
            await message.ack()

    def acked(self, sent: int) -> int:
        """Return how many were sent, are not pending and do not wait for an ack."""
        return sent - self._loop.run_until_complete(self._unsettled())

    async def _unsettled(self) -> int:
        await self._client.flush()
        info = await self._subscription.consumer_info()
        return int(info.num_pending) + int(info.num_ack_pending)
