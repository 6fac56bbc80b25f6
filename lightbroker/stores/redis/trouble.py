"""What goes wrong with Redis: which trouble passes, and what to tell of the other."""

from redis import exceptions

from lightbroker.core.errors import BrokerError, StoreError
from lightbroker.stores.redis.url import Address

#: What redis-py raises when a server cannot be reached or gives no answer.
TROUBLE = (exceptions.RedisError, exceptions.RedisClusterException, OSError)
_REFUSALS = exceptions.AuthenticationError, exceptions.AuthorizationError  # they are connection errors to redis-py
#: ... and whose connection is of no use any more.
BROKEN = (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.RedisClusterException, OSError)
_NOT_NOW = (exceptions.ClusterError, exceptions.TryAgainError)  # answers of a cluster that changes, or heals
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


def passing(error: BaseException) -> bool:
    """Whether it may help to try again."""
    if isinstance(error, BROKEN):
        return not isinstance(error, _REFUSALS)
    return isinstance(error, _NOT_NOW) or str(error).startswith("BUSY ")


def demoted(answer: object) -> bool:
    """Whether it comes from a replica: if that was the primary, its address may lead to another server by now."""
    # Redis 6 tells of what a script met in a text of its own.
    return isinstance(answer, exceptions.ReadOnlyError) or (
        isinstance(answer, exceptions.ResponseError) and "READONLY" in str(answer)
    )


def explain(address: Address, error: BaseException | None) -> BrokerError:
    """The error to raise for one of redis-py's."""
    if isinstance(error, BrokerError):
        return error
    text = f"{type(error).__name__}: {error}"
    for signs, meaning in _MEANINGS:
        if any(sign in text for sign in signs):
            return StoreError(f"Redis at {address}: {meaning} ({text})")
    if isinstance(error, BROKEN):
        return StoreError(
            f"Redis at {address} cannot be reached, or gives no answer; what was asked for last may have been done or "
            f"not; see that it runs there and can be reached ({text})"
        )
    return StoreError(f"Redis at {address}: {text}")
