"""What can go wrong with Redis: trying again what may pass, and telling the user about the rest."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from redis import exceptions

from lightbroker.core.errors import BrokerError, QueueClosed, StoreError
from lightbroker.stores.redis.url import Address

T = TypeVar("T")

PATIENCE = 30.0  #: seconds for which a call is tried again
_PAUSE = 0.01, 1.0  # seconds between two tries, at first and at most
#: What redis-py raises when a server cannot be reached, gives no answer or answers with an error.
REDIS_ERRORS = (exceptions.RedisError, exceptions.RedisClusterException, OSError)
#: Those of them after which the connection is of no use any more.
CONNECTION_ERRORS = (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.RedisClusterException, OSError)
#: Answers that say that the script did not run, and may run when it is sent again.
NOT_RUN = (exceptions.MovedError, exceptions.AskError, exceptions.BusyLoadingError)
_WRONG_USER = (exceptions.AuthenticationError, exceptions.AuthorizationError)  # connection errors to redis-py
_CLUSTER_CHANGES = (exceptions.ClusterError, exceptions.TryAgainError)  # answers while a cluster changes or heals
_MEANINGS = (
    (("WRONGPASS", "NOAUTH", "invalid username-password", "Authentication"), "it does not take this user and password"),
    (("NOPERM", "NoPermission", "no permissions"), "the user may not do what the broker needs: its keys and channels"),
    (("OOM", "OutOfMemory", "maxmemory"), "it has no memory for more; nothing was changed; settle some or add some"),
    (("READONLY", "ReadOnly", "read only replica"), "it is a replica, which takes no writes; name the primary"),
    (("MISCONF",), "it cannot write to its disk and takes no more; nothing was changed"),
    (("NOREPLICAS",), "it has too few replicas to take writes; nothing was changed"),
    (("WRONGTYPE",), "another program has put something else into a key of the queue; choose another `?prefix=`"),
    (("DB index", "SELECT is not allowed"), "it has no such database"),
    (("BUSY ",), "another program's script has kept it busy"),
)  # fmt: skip


def may_pass(error: BaseException) -> bool:
    """Return whether the same call may succeed when it is sent again."""
    if isinstance(error, CONNECTION_ERRORS):
        return not isinstance(error, _WRONG_USER)
    return isinstance(error, _CLUSTER_CHANGES) or str(error).startswith("BUSY ")


def is_from_replica(answer: object) -> bool:
    """Return whether a server refused a write because it is a replica.

    If that server was the primary before, the address may lead to another server by now.
    """
    # Redis 6 reports an error that a script met in a text of its own.
    return isinstance(answer, exceptions.ReadOnlyError) or (
        isinstance(answer, exceptions.ResponseError) and "READONLY" in str(answer)
    )


def pauses() -> Iterator[float]:
    """Yield the seconds to wait between tries to connect: longer and longer, and never the same in two threads."""
    pause, longest = _PAUSE
    while True:
        yield pause * random.uniform(0.5, 1.0)
        pause = min(2.0 * pause, longest)


class Retries:
    """Tries again what failed with a server, until it is closed."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._closing = threading.Event()

    def call(self, attempt: Callable[[bool], T], patience: float | None) -> T:
        """Call `attempt` until it does not raise an error that may pass, and return what it returns.

        Args:
            attempt: Told whether it was called before.
            patience: Seconds for which to try again (None: half a minute).

        Raises:
            StoreError: It did not help within that time, or it cannot help.
            QueueClosed: The broker is closed.
        """
        until: float | None = None
        waits = pauses()
        while True:
            if self._closing.is_set():
                raise QueueClosed("the broker is closed")
            try:
                return attempt(until is not None)
            except REDIS_ERRORS as error:
                if not may_pass(error) or (until is not None and time.monotonic() >= until):
                    raise self.explain(error) from error
                if until is None:  # at once: a connection that was idle for long may have been closed by the server
                    until = time.monotonic() + (PATIENCE if patience is None else patience)
                    wait = 0.0
                else:
                    wait = next(waits)
            self._closing.wait(wait)

    def explain(self, error: BaseException | None) -> BrokerError:
        """Return the error to raise for one of redis-py's. Its text never holds the password."""
        if isinstance(error, BrokerError):
            return error
        text = f"{type(error).__name__}: {error}"
        for signs, meaning in _MEANINGS:
            if any(sign in text for sign in signs):
                return StoreError(f"Redis at {self._address}: {meaning} ({text})")
        if isinstance(error, CONNECTION_ERRORS):
            return StoreError(
                f"Redis at {self._address} cannot be reached, or gives no answer; what was asked for last may have "
                f"been done or not; see that it runs there and can be reached ({text})"
            )
        return StoreError(f"Redis at {self._address}: {text}")

    def close(self) -> None:
        """End every call: those that wait for their next try raise QueueClosed at once."""
        self._closing.set()
