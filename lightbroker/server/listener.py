"""The threads of the HTTP server: one event loop holds every connection, and a few reader threads read the broker.

The event loop never calls the broker, because a store may block for seconds. It hands the call to a reader thread.
Requests that ask for the same thing at the same time share one call.

A slow, silent or broken client costs one bounded buffer and cannot hold up the other clients: every wait for a client
has a time limit. When there are too many connections, the next connection replaces the one whose client has kept the
server waiting longest.
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
_READERS = 4  # reader threads
_MOST_READS = 100  # different calls that run or wait for a reader thread; a request for one more is refused
_REQUEST_TIME = 20.0  # seconds for a client to send a request, from the connection or the response before it
_READ_TIME = 5.0  # seconds for the broker to answer
_RESPONSE_TIME = 10.0  # seconds for a client to take a response
_LINGER_TIME = 1.0  # seconds for a client to close the connection after its last response
_CLOSE_TIME = 0.5  # seconds for the reader threads to end when the server closes


class Site(Protocol):
    """What the server shows: it decides the answer to each request."""

    def answer(self, request: Request) -> Response | Callable[[], Response]:
        """Return the response, or a function that returns it.

        A function may block, and is called in a reader thread. Functions that compare equal must return the same
        response, because one call may serve several requests.
        """

    def refuse(self, status: HTTPStatus, reason: str) -> Response:
        """Return the response to a request that cannot be answered."""


class Listener:
    """Accepts connections on `sock` and answers their requests, from construction until `close`.

    Args:
        sock: A listening socket, which the listener closes in the end.
        site: Decides the answers.
        local: Whether to refuse requests whose Host header is neither an IP address nor a name of this machine. This
            stops DNS rebinding: a foreign page whose domain name was pointed at 127.0.0.1 makes the browser connect to
            this server, but the Host header still has the foreign name.
    """

    def __init__(self, sock: socket.socket, site: Site, local: bool) -> None:
        self._sock, self._site, self._local = sock, site, local
        self._connections: set[asyncio.Task[None]] = set()
        # The connections that wait for their client, the longest wait first. A dictionary, because a set has no order.
        self._idle: dict[asyncio.StreamWriter, None] = {}
        self._loop = asyncio.SelectorEventLoop()
        self._loop.set_exception_handler(self._report)
        self._closing = asyncio.Event()
        # The calls that run or wait for a reader thread, each with the future on which its requests wait.
        self._reads: dict[Callable[[], Response], asyncio.Future[Response]] = {}
        self._calls: SimpleQueue[Callable[[], Response] | None] = SimpleQueue()  # to the readers; None ends one
        self._thread = threading.Thread(target=self._run_loop, name="lightbroker-http", daemon=True)
        self._readers = [
            threading.Thread(target=self._run_reader, name=f"lightbroker-http-reader-{n}", daemon=True)
            for n in range(_READERS)
        ]
        for thread in (self._thread, *self._readers):
            thread.start()

    def close(self) -> None:
        """End every connection and thread.

        A reader thread that is blocked in the store is waited for briefly. It ends by itself when the store returns.
        """
        with suppress(RuntimeError):  # the loop has already ended, after an error
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()
        until = time.monotonic() + _CLOSE_TIME
        for _ in self._readers:
            self._calls.put(None)
        for reader in self._readers:
            reader.join(max(0.0, until - time.monotonic()))

    def _run_loop(self) -> None:
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
        # Stop accepting, but do not close the server yet. The task of a connection that was just accepted may not have
        # started, and nothing would close its socket. The loop below lets such a task start, then cancels it.
        self._loop.remove_reader(self._sock)
        while len(asyncio.all_tasks(self._loop)) > 1:
            for task in self._connections:
                task.cancel()
            await asyncio.sleep(0)
        server.close()
        await asyncio.sleep(0)  # a transport needs one more round of the loop to close

    def _report(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        log.error("%s", context["message"], exc_info=error if isinstance(error, BaseException) else None)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        if len(self._connections) > _MOST_CONNECTIONS:
            longest = next(iter(self._idle), writer)
            self._idle.pop(longest, None)  # now, so that the next new connection aborts a different one
            longest.transport.abort()
        writer.transport.set_write_buffer_limits(0)  # so that `drain` waits until the whole response has left
        try:
            while await self._exchange(reader, writer):
                pass
            await self._linger(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            # The client has gone, the client was too slow, or the server closes. None of these is an error. A
            # cancellation that left this coroutine would be logged by asyncio.
            pass
        except Exception:
            log.exception("a connection has ended")
        finally:
            self._connections.discard(task)
            self._idle.pop(writer, None)
            writer.transport.abort()  # at once: everything was sent, or the client has gone

    @contextmanager
    def _waiting(self, writer: asyncio.StreamWriter, seconds: float) -> Iterator[None]:
        """Note for the duration of the block that the connection waits for its client, and abort it after `seconds`.

        An abort makes the pending read or write raise, or return end of file.
        """
        timer = self._loop.call_later(seconds, writer.transport.abort)
        self._idle[writer] = None
        try:
            yield
        finally:
            self._idle.pop(writer, None)
            timer.cancel()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read one request and send its response. Return whether another request may follow."""
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
        """Discard what the client still sends until it closes the connection.

        If the server closed a socket with unread bytes, TCP would reset the connection. The reset could destroy the
        response before the client has read it.
        """
        with self._waiting(writer, _LINGER_TIME):
            writer.write_eof()
            while await reader.read(MAX_HEAD):
                pass

    async def _answer(self, request: Request) -> Response:
        if self._local and not _is_local(request.host):
            return self._site.refuse(HTTPStatus.MISDIRECTED_REQUEST, f"there is no host {request.host} here")
        try:
            answer = self._site.answer(request)
            return answer if isinstance(answer, Response) else await self._read(answer)
        except asyncio.TimeoutError:
            reason = f"the broker did not answer within {_READ_TIME:g} s"
            return self._site.refuse(HTTPStatus.SERVICE_UNAVAILABLE, reason)
        except Exception:
            log.exception("no answer to %s /%s", request.method, "/".join(request.path))
            return self._site.refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "an internal error, which the log explains")

    async def _read(self, call: Callable[[], Response]) -> Response:
        """Return what `call` returns, called in a reader thread. Requests with an equal `call` share one call.

        Raises TimeoutError after _READ_TIME. The call itself goes on, and later requests may still share it.
        """
        result = self._reads.get(call)
        if result is None:
            if len(self._reads) >= _MOST_READS:
                return self._site.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "the broker has yet to answer others")
            result = self._reads[call] = self._loop.create_future()
            self._calls.put(call)
        return await asyncio.wait_for(asyncio.shield(result), _READ_TIME)  # shielded: other requests wait for it too

    def _run_reader(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                outcome: Response | Exception = call()
            except Exception as error:
                outcome = error
            with suppress(RuntimeError):  # the loop is closed: no request waits any more
                self._loop.call_soon_threadsafe(self._finish_read, call, outcome)

    def _finish_read(self, call: Callable[[], Response], outcome: Response | Exception) -> None:
        result = self._reads.pop(call)
        if isinstance(outcome, Response):
            result.set_result(outcome)
        else:
            result.set_exception(outcome)
            result.exception()  # so that asyncio does not log an error that no request waits for any more


def _is_local(host: str | None) -> bool:
    """Return whether `host` is an IP address or localhost, which no foreign DNS entry can point at this machine."""
    if host is None or host == "localhost" or host.endswith(".localhost"):
        return True
    with suppress(ValueError):
        ipaddress.ip_address(host.strip("[]"))
        return True
    return False
