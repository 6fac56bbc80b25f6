"""The stores that outlive a process, and the registry that finds a store by the scheme of its URL.

    shared_topics    topics whose subscribers live in several processes
    sqlite redis     a file that the processes of one machine share; a server for processes on many machines

A store of your own implements `Store` and `StoredQueue` of `lightbroker/core/store.py`, and `Waitable`, on which
batches and coroutines rely. `Inspectable` lets it be looked at. To name it by URL, register its scheme:

    from lightbroker.stores import register

    register("mine", lambda url, create: MyStore(url))
    broker = Broker("mine://anything")
"""

from lightbroker.core.errors import StoreError
from lightbroker.core.registry import open_store, register
from lightbroker.core.store import Store

__all__ = ["open_store", "register"]


def _open_sqlite(url: str, create: bool) -> Store:
    from lightbroker.stores.sqlite import store  # here, because programs that stay in memory need no sqlite3

    return store.open_store(url, create)


def _open_redis(url: str, create: bool) -> Store:
    try:
        from lightbroker.stores.redis import store
    except ImportError as error:
        raise StoreError(f"store: Redis needs a client library: pip install 'lightbroker[redis]' ({error})") from error

    return store.open_store(url)


register("sqlite", _open_sqlite)
register("redis", _open_redis)
register("rediss", _open_redis)
