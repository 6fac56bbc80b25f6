"""RabbitMQ: a classic queue, with confirmed publishing and acks. The server takes seconds to start."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from shutil import which

import pika

from lightbroker.lab.peers.base import Peer, Promises, Record
from lightbroker.lab.peers.temporary import HOST, free_port, serving

_QUEUE = "bench"
# Debian's `rabbitmq-server` changes the user and writes to the system's log. This is the program that it calls.
_DEBIAN = "/usr/lib/rabbitmq/bin/rabbitmq-server"


class RabbitMQ(Peer):
    """RabbitMQ on a server of its own.

    The message of a dead consumer comes back when its connection ends. A consumer that hangs keeps its message for up
    to 30 min. A failed message comes back without a limit. Messages are transient here, so nothing outlives the server.
    """

    name = "RabbitMQ"
    library = "pika"
    server = "rabbitmq-server"
    promises = Promises(
        bounded=True,
        ack=True,
        lease=True,
        dead_letters=True,
        across_processes=True,
        note="when the connection ends, or after 30 min; requeues without a limit; transient messages here",
    )

    def __init__(self, port: int) -> None:
        self._connection = pika.BlockingConnection(pika.ConnectionParameters(HOST, port))
        self._channel = self._connection.channel()
        self._channel.confirm_delivery()
        self._channel.queue_declare(_QUEUE)
        self._deliveries = self._channel.consume(_QUEUE)

    @classmethod
    @contextmanager
    def open(cls) -> "Iterator[RabbitMQ]":
        """Return a context with the server, and a connection to it.

        Erlang insists on a port mapper. It is started here too, so that the system's own is left alone.
        """
        program = _DEBIAN if Path(_DEBIAN).exists() else str(which(cls.server))
        with serving(lambda port, _: ("epmd", "-address", HOST, "-port", str(port))) as mapper:
            environment = {
                "ERL_EPMD_PORT": str(mapper),
                "ERL_EPMD_ADDRESS": HOST,
                "RABBITMQ_NODENAME": "lightbroker@localhost",
                "RABBITMQ_NODE_IP_ADDRESS": HOST,
                "RABBITMQ_DIST_PORT": str(free_port()),
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            }

            def command(port: int, home: Path) -> Sequence[str]:
                own = {"HOME": home, "RABBITMQ_BASE": home, "RABBITMQ_MNESIA_BASE": home, "RABBITMQ_LOG_BASE": home}
                own |= {"RABBITMQ_ENABLED_PLUGINS_FILE": home / "plugins", "RABBITMQ_CONFIG_FILE": home / "none"}
                settings = {**environment, **own, "RABBITMQ_NODE_PORT": port}
                return ("env", *(f"{name}={value}" for name, value in settings.items()), program)

            with serving(command, patience=60.0) as port, closing(cls(port)) as peer:
                yield peer

    def cycle(self, bodies: Sequence[bytes], record: Record) -> None:
        """Use `basic.publish`, which waits for the confirmation, `basic.consume` and `basic.ack`."""
        publish, ack, deliveries = self._channel.basic_publish, self._channel.basic_ack, self._deliveries
        for body in bodies:
            publish("", _QUEUE, body)
            method, _, received = next(deliveries)
            record(received)
            ack(method.delivery_tag)

    def acked(self, sent: int) -> int:
        """Return how many were sent and are not in the queue after the consumer has put back what it had not acked."""
        self._channel.cancel()
        return sent - int(self._channel.queue_declare(_QUEUE, passive=True).method.message_count)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
