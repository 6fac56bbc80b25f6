"""Which store a URL names. A store registers the scheme of its URLs; the broker asks here and knows none by name."""

from collections.abc import Callable
from urllib.parse import urlsplit

from lightbroker.core.errors import without_password
from lightbroker.core.memory.store import MemoryStore
from lightbroker.core.store import Store

#: Called with a URL, and with whether to make a store that is not there yet; without, it raises StoreError.
Opener = Callable[[str, bool], Store]


def _open_memory(url: str, create: bool) -> Store:
    if url != "memory://":
        raise ValueError(f"store: 'memory://' has no name and no options, not {url!r}")
    return MemoryStore()


_openers: dict[str, Opener] = {"memory": _open_memory}


def register(scheme: str, opener: Opener) -> None:
    """Let URLs that begin with `scheme` name a store, so that `Broker(url)` opens it.

    A second registration of a scheme replaces the first.

    Args:
        scheme: What stands before "://", in lower case.
        opener: Called with the URL and with whether to make a store that is not there yet. It returns the store, or
            raises ValueError for a URL that makes no sense and StoreError for a store that cannot be opened. Import
            database libraries inside it, so that only programs that use the store load them.
    """
    _openers[scheme] = opener


def open_store(url: str, create: bool = True) -> Store:
    """Open the store that a URL names.

    Args:
        url: Such as "memory://", "sqlite:///path.db" or "redis://host:6379/0".
        create: Whether to make a store that is not there yet.

    Raises:
        ValueError: No store is registered for the scheme, or the URL makes no sense to its store.
        StoreError: The store cannot be opened, or it is not there and `create` is false.
    """
    shown = without_password(url)
    opener = _openers.get(urlsplit(shown).scheme)
    if opener is None:
        known = ", ".join(sorted(_openers))
        raise ValueError(f"store: no store for {shown!r}; use one of the schemes {known}, or pass a Store")
    return opener(url, create)
