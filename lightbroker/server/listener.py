"""Serves HTTP from one thread, whatever its clients do: slow, silent and broken ones cost a bounded buffer each.

An event loop holds the connections. A few threads beside it read the broker, because a store may keep a reader
waiting; those who ask for the same at the same time share what is read. Every wait for a client has a limit, and when
there are too many connections, the one that has kept us waiting for longest makes room for the next.
"""

import asyncio
import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from queue import SimpleQueue
from typing import Protocol

from lightbroker.server.http import MAX_HEAD, BadRequest, Request, Response, parse

log = logging.getLogger(__name__)

_MOST_CONNECTIONS = 500
_READERS = 4
_MOST_READS = 100  # that wait for a reader
_REQUEST_TIME = 20.0  # seconds in which a request must be complete, from the connection or the response before it
_READ_TIME = 5.0  # seconds for the broker to answer
_RESPONSE_TIME = 10.0  # seconds for the client to take a response
_CLOSE_TIME = 0.5  # seconds for the readers to end
_LINGER_TIME = 1.0  # seconds in which what a client still sends is discarded, so that it gets to see the response


class Site(Protocol):
    """What there is to see."""

    def answer(self, request: Request) -> Response | Callable[[], Response]:
        """The response, or how to get it: a function that may take its time, to be called in another thread.

        Functions that are equal do the same, and one call of them may serve several requests.
        """

    def refuse(self, status: HTTPStatus, reason: str) -> Response:
        """The response to what cannot be answered."""


class Listener:
    """Answers with what `site` says to whoever connects to `sock`, until `close`.

    local: only names that stand for this machine are accepted as host. A page of elsewhere whose name was pointed at
    127.0.0.1 (DNS rebinding) has a browser ask for that name, and gets nothing.
    """

    def __init__(self, sock: socket.socket, site: Site, local: bool) -> None:
        self._sock, self._site, self._local = sock, site, local
        self._connections: set[asyncio.Task[None]] = set()
        self._idle: dict[asyncio.StreamWriter, None] = {}  # those who wait for their client, the longest first
        self._loop = asyncio.SelectorEventLoop()
        self._loop.set_exception_handler(self._report)
        self._closing = asyncio.Event()
        self._reads: dict[Callable[[], Response], asyncio.Future[Response]] = {}
        self._work: SimpleQueue[Callable[[], Response] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="lightbroker-http", daemon=True)
        self._readers = [
            threading.Thread(target=self._read, name=f"lightbroker-http-reader-{n}", daemon=True)
            for n in range(_READERS)
        ]
        for thread in (self._thread, *self._readers):
            thread.start()

    def close(self) -> None:
        """End every connection and thread; a reader that a store keeps waiting is not waited for and ends after it."""
        with suppress(RuntimeError):  # it has ended by itself
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()
        until = time.monotonic() + _CLOSE_TIME
        for _ in self._readers:
            self._work.put(None)
        for reader in self._readers:
            reader.join(max(0.0, until - time.monotonic()))

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._listen())
        except Exception:
            log.exception("the HTTP server has ended")
        finally:
            self._loop.close()
            self._sock.close()

    async def _listen(self) -> None:
        server = await asyncio.start_server(self._serve, sock=self._sock, limit=MAX_HEAD)
        await self._closing.wait()
        # Accept no more, but let what was accepted begin before it ends: a server that is closed would forget it open.
        self._loop.remove_reader(self._sock)
        while len(asyncio.all_tasks(self._loop)) > 1:
            for task in self._connections:
                task.cancel()
            await asyncio.sleep(0)
        server.close()
        await asyncio.sleep(0)  # a transport takes the loop another round to close

    def _report(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        log.error("%s", context["message"], exc_info=error if isinstance(error, BaseException) else None)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        if len(self._connections) > _MOST_CONNECTIONS:
            longest = next(iter(self._idle), writer)
            self._idle.pop(longest, None)  # at once: the next to come must end another
            longest.transport.abort()
        writer.transport.set_write_buffer_limits(0)  # so that `drain` waits until the client has taken everything
        try:
            while await self._exchange(reader, writer):
                pass
            await self._linger(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # the client has gone or was too slow, or the server closes; asyncio would log what is cancelled
        except Exception:
            log.exception("a connection has ended")
        finally:
            self._connections.discard(task)
            self._idle.pop(writer, None)
            writer.transport.abort()  # nothing is left to send, or nobody to send it to

    @contextmanager
    def _waiting(self, writer: asyncio.StreamWriter, seconds: float) -> Iterator[None]:
        """For the client, who has so many seconds; then the connection ends, which every wait on it notices."""
        timer = self._loop.call_later(seconds, writer.transport.abort)
        self._idle[writer] = None
        try:
            yield
        finally:
            self._idle.pop(writer, None)
            timer.cancel()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its response; whether another may follow."""
        bodiless, last = False, True
        try:
            with self._waiting(writer, _REQUEST_TIME):
                head = await reader.readuntil(b"\r\n\r\n")
            request = parse(head)
            bodiless, last = request.method == "HEAD", request.last
            response = await self._answer(request)
        except asyncio.LimitOverrunError:
            reason = f"request line and headers may have {MAX_HEAD} bytes together"
            response = self._site.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, reason)
        except BadRequest as error:
            response = self._site.refuse(error.status, str(error))
        with self._waiting(writer, _RESPONSE_TIME):
            writer.write(response.encode(bodiless=bodiless, last=last))
            await writer.drain()
        return not last

    async def _linger(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Let the client close first: to close with bytes unread makes TCP take back the response on its way."""
        with self._waiting(writer, _LINGER_TIME):
            writer.write_eof()
            while await reader.read(MAX_HEAD):
                pass

    async def _answer(self, request: Request) -> Response:
        if self._local and not _is_local(request.host):
            return self._site.refuse(HTTPStatus.MISDIRECTED_REQUEST, f"there is no host {request.host} here")
        try:
            answer = self._site.answer(request)
            return answer if isinstance(answer, Response) else await self._share(answer)
        except asyncio.TimeoutError:
            reason = f"the broker did not answer within {_READ_TIME:g} s"
            return self._site.refuse(HTTPStatus.SERVICE_UNAVAILABLE, reason)
        except Exception:
            log.exception("no answer to %s /%s", request.method, "/".join(request.path))
            return self._site.refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "an internal error, which the log explains")

    async def _share(self, work: Callable[[], Response]) -> Response:
        """What `work` returns, done by a reader and once for all who wait; raises TimeoutError if it takes too long."""
        result = self._reads.get(work)
        if result is None:
            if len(self._reads) >= _MOST_READS:
                return self._site.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "the broker has yet to answer others")
            result = self._reads[work] = self._loop.create_future()
            self._work.put(work)
        return await asyncio.wait_for(asyncio.shield(result), _READ_TIME)

    def _read(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                outcome: Response | Exception = work()
            except Exception as error:
                outcome = error
            with suppress(RuntimeError):  # the loop is closed, nobody waits any more
                self._loop.call_soon_threadsafe(self._tell, work, outcome)

    def _tell(self, work: Callable[[], Response], outcome: Response | Exception) -> None:
        result = self._reads.pop(work)
        if isinstance(outcome, Response):
            result.set_result(outcome)
        else:
            result.set_exception(outcome)
            result.exception()  # perhaps nobody waits any more, which is no error


def _is_local(host: str | None) -> bool:
    """Whether a host name cannot have been pointed at this machine by others."""
    if host is None or host == "localhost" or host.endswith(".localhost"):
        return True
    with suppress(ValueError):
        ipaddress.ip_address(host.strip("[]"))
        return True
    return False
