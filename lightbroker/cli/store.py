"""Open the queues of an existing store. A typing error in its URL or in a queue's name must create nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from lightbroker.core.clock import SystemClock
from lightbroker.core.errors import StoreError
from lightbroker.core.registry import open_store
from lightbroker.core.store import StoredQueue


@contextmanager
def opened(url: str, name: str | None = None) -> Iterator[dict[str, StoredQueue]]:
    """Open the queues of a store for the duration of the context, with the options with which they were declared.

    Args:
        url: The store's URL.
        name: The queue to open. None opens all.

    Yields:
        The open queues by name.

    Raises:
        StoreError: There is no such store, or it holds no such queue.
        ValueError: The URL makes no sense.
    """
    store = open_store(url, create=False)
    queues: dict[str, StoredQueue] = {}
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
