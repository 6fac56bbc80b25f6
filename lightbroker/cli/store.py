"""Opening what a store holds. A typing error in its URL or in a queue's name must make neither a file nor a queue."""

from collections.abc import Iterator
from contextlib import contextmanager

from lightbroker.core.clock import SystemClock
from lightbroker.core.errors import StoreError
from lightbroker.core.registry import open_store
from lightbroker.core.store import QueueStore


@contextmanager
def opened(url: str, name: str | None = None) -> Iterator[dict[str, QueueStore]]:
    """The queues that are in a store by name, or the one that is named, with the options of whoever uses them.

    Raises StoreError if the store is not there or holds no such queue, ValueError for a URL that makes no sense.
    """
    store = open_store(url, create=False)
    queues: dict[str, QueueStore] = {}
    try:
        declared = store.declared()
        if name is not None and name not in declared:
            there = ", ".join(sorted(declared)) or "none"
            raise StoreError(f"the store holds no queue {name!r}; the queues that it holds: {there}")
        for each in declared if name is None else (name,):
            queues[each] = store.queue(each, declared[each], SystemClock(), None)
        yield queues
    finally:
        for queue in queues.values():
            queue.close()
        store.close()
