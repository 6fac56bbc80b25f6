"""The HTTP server that shows a broker to Prometheus, to whoever restarts it, and to people; it needs no library."""

import os
import socket
from ipaddress import ip_address
from types import TracebackType

from lightbroker.core.broker import Broker
from lightbroker.server.health import Health
from lightbroker.server.listener import Listener
from lightbroker.server.site import BrokerSite


class MetricsServer:
    """Serves a broker's numbers: GET /metrics (Prometheus), /health (JSON), / (a live page), /queues/NAME/dlq (JSON).

    /health answers 200 if all is well, else 503 with the `reason`: "draining", "closed", "stalled" (see `health`) or
    "error". Everything is read-only, but bodies of dead letters are shown: whoever can reach the server can read them.
    It has no encryption and no log-in, so other machines reach it only if `host` says so.

    host: where to listen, an address or a name; port: 0 for a free one; stalled_after: seconds without progress that
    make a queue with ready messages stalled (None: it never is). Starting raises OSError if it cannot listen there. A
    server that was closed can be started again. It is no part of a process that was forked off.
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
        self._process = 0
        self._socket: socket.socket | None = None
        self._listener: Listener | None = None

    def start(self) -> "MetricsServer":
        """Listen, in a thread of its own; returns the server. Starting it again changes nothing."""
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
            reason = str(error.strerror).partition(" (while")[0]  # Python adds the address, which we name already
            advice = "choose another host or port, or port 0 for one that is free"
            raise OSError(error.errno, f"cannot listen on {host}, port {port}: {reason}; {advice}") from error

    @property
    def url(self) -> str:
        """Where it listens, such as `http://127.0.0.1:9100`. Raises RuntimeError unless it is started."""
        if self._socket is None:
            raise RuntimeError("the server is not started; use it in a `with` statement or call start()")
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def close(self) -> None:
        """End every connection, and the thread; closing twice is no error."""
        sock, self._socket = self._socket, None
        if self._process != os.getpid():
            if sock is not None:
                sock.close()  # a forked process has a copy of this, and no more: the server goes on in the other
            return
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    def __enter__(self) -> "MetricsServer":
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()
