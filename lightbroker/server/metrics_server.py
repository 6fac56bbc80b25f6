"""The HTTP server that shows a broker to Prometheus (/metrics), to a supervisor (/health) and to people (/)."""

import os
import socket
from ipaddress import ip_address
from types import TracebackType

from lightbroker.core.broker import Broker
from lightbroker.server.health import Health
from lightbroker.server.listener import Listener
from lightbroker.server.site import BrokerSite


class MetricsServer:
    """Shows a broker over HTTP.

        with MetricsServer(broker, port=9464) as server:
            print(server.url)

    It answers GET and HEAD requests for these paths:

        /                   a live page
        /metrics            the numbers in Prometheus' text format
        /health             JSON; HTTP status 200 if the broker's status is "ok", else 503 with the status and a reason
        /queues/NAME/dlq    the newest dead letters of a queue as JSON

    `lightbroker.server.health` explains what decides the status. Requests change nothing. The bodies of dead letters
    are shown, and there is neither encryption nor a login: everybody who can reach the server can read them. So it
    listens on this machine alone unless `host` says otherwise.

    A closed server can be started again. After a fork the server goes on in the parent process only.

    Args:
        broker: The broker to show.
        host: The address or name to listen on. "0.0.0.0" listens on every address of this machine.
        port: The port to listen on, or 0 for a free one, which `url` then tells.
        stalled_after: Seconds without an ack or a retry after which a queue with ready messages is stalled. With None
            no queue is ever stalled.

    Raises:
        TypeError, ValueError: An argument makes no sense.
    """

    def __init__(
        self, broker: Broker, host: str = "127.0.0.1", port: int = 0, *, stalled_after: float | None = 60.0
    ) -> None:
        if not isinstance(broker, Broker):
            raise TypeError(f"broker must be a Broker, not {broker!r}")
        if not isinstance(host, str):
            raise TypeError(f"host must be a string, not {host!r}")
        if not host:
            raise ValueError("host must not be empty; 0.0.0.0 listens everywhere")
        if isinstance(port, bool) or not isinstance(port, int):
            raise TypeError(f"port must be a whole number, not {port!r}")
        if not 0 <= port <= 65535:
            raise ValueError(f"port must be from 0 to 65535, not {port}")
        self._address = host, port
        self._site = BrokerSite(broker, Health(broker, stalled_after))
        self._process = 0  # the id of the process in which it was started
        self._socket: socket.socket | None = None
        self._listener: Listener | None = None

    def start(self) -> "MetricsServer":
        """Listen, and answer requests in threads of its own. Starting a started server changes nothing.

        Returns:
            This server.

        Raises:
            OSError: It cannot listen on that host and port.
            RuntimeError: It was started in the parent process, before a fork.
        """
        if self._listener is not None and self._process != os.getpid():
            raise RuntimeError("the server was started before a fork; make one of its own in each process")
        if self._listener is None:
            sock = self._listen()
            local = ip_address(sock.getsockname()[0].partition("%")[0]).is_loopback
            try:
                self._listener = Listener(sock, self._site, local)
            except BaseException:
                sock.close()
                raise
            self._socket, self._process = sock, os.getpid()
        return self

    def _listen(self) -> socket.socket:
        host, port = self._address
        try:
            family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
            return socket.create_server(address[:2], family=family, backlog=128)
        except OSError as error:  # also socket.gaierror
            reason = str(error.strerror).partition(" (while")[0]  # Python appends the address, which is named below
            advice = "choose another host or port, or port 0 for one that is free"
            raise OSError(error.errno, f"cannot listen on {host}, port {port}: {reason}; {advice}") from error

    @property
    def url(self) -> str:
        """The address of the server, such as `http://127.0.0.1:9100`. Raises RuntimeError unless it is started."""
        if self._socket is None:
            raise RuntimeError("the server is not started; use it in a `with` statement or call start()")
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def close(self) -> None:
        """Stop listening, and end every connection and thread. Closing a closed server changes nothing."""
        sock, self._socket = self._socket, None
        if self._process != os.getpid():
            if sock is not None:
                sock.close()  # this forked process has a copy of the socket, but none of the threads
            return
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    def __enter__(self) -> "MetricsServer":
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()
