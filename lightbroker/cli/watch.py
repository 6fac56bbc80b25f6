"""`lightbroker watch`: follow a node's chain into a queue with workers, until a signal comes."""

import argparse
import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import quote, urlsplit

from lightbroker.cli.arguments import Commands, add_command, address, natural, positive, queue_name, whole
from lightbroker.cli.signals import Signals
from lightbroker.core.broker import Broker
from lightbroker.core.errors import InvariantError
from lightbroker.core.message import Message
from lightbroker.core.policy import Overflow
from lightbroker.core.registry import open_store
from lightbroker.core.store import Store
from lightbroker.watcher import ChainWatcher, Journal

if TYPE_CHECKING:
    from lightbroker.stores.sqlite.store import SqliteStore

log = logging.getLogger(__name__)

NODE = "LIGHTBROKER_NODE"  #: the environment variable for the node's address
_JOIN_TIME = 5.0  # seconds to wait at the end for the thread that follows the chain


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "watch",
        run,
        "Follow a node's chain into a queue, and work on the blocks. After a lost connection it connects again and\n"
        "fetches the blocks that it missed. A reorganisation is queued as blocks removed and blocks added. With a\n"
        "store that outlives the process, a restart continues where the last run stopped, and each block is queued\n"
        "exactly once. After Ctrl-C or SIGTERM no more messages are pulled, the running handlers finish, and the\n"
        "other messages stay in the store.",
        [
            "watch ws://localhost:8545",
            "watch --store sqlite:///blocks.db --metrics 127.0.0.1:9100",
            "watch ws://localhost:8545 --store sqlite:///blocks.db --handler myapp.blocks:handle --workers 8",
        ],
    )
    option, node = parser.add_argument, os.environ.get(NODE)
    option(
        "url",
        nargs="?" if node else None,
        default=node,
        metavar="URL",
        help=f"the node's WebSocket address, ws:// or wss:// (default: ${NODE}, where `ps` shows no access key)",
    )
    option(
        "--store",
        default="memory://",
        metavar="URL",
        help="where the queue is: memory://, sqlite:///path.db, redis://host:6379/0 (default: %(default)s)",
    )
    option("--queue", type=queue_name, default="blocks", metavar="NAME", help="the queue (default: %(default)s)")
    option(
        "--capacity", type=whole, default=10_000, metavar="N", help="blocks the queue can hold (default: %(default)s)"
    )
    option(
        "--overflow",
        type=Overflow,
        choices=list(Overflow),
        default=Overflow.BLOCK,
        metavar="POLICY",
        help="what happens when the queue is full: block (the node waits), reject (the connection is dropped and made "
        "again), drop_oldest, drop_newest, dead_letter (default: block)",
    )
    option(
        "--workers",
        type=natural,
        default=4,
        metavar="N",
        help="threads that run the handler; 0 leaves the work to other processes (default: %(default)s)",
    )
    option(
        "--handler",
        metavar="MODULE:FUNCTION",
        help="called with each message; the module is in this directory or an installed package; after an exception "
        "the message is retried (default: recompute the block's hash and log it)",
    )
    option("--metrics", type=address, metavar="HOST:PORT", help="serve /metrics, /health and a live page there")
    option(
        "--from",
        dest="start",
        type=natural,
        metavar="NUMBER",
        help="the block to begin with on the first start (default: 64 below the latest)",
    )
    option("--slot", type=positive, metavar="S", help="seconds from block to block (default: as measured)")
    option(
        "--journal",
        type=Path,
        metavar="FILE",
        help="the file that a restart continues from (default: beside the file of an SQLite store)",
    )


def check_block(message: Message) -> None:
    """Recompute a block's hash, which covers the link to its parent, and log the block. This is the default handler."""
    from lightbroker.watcher.verify import verify_block

    block = message.json()
    verify_block(block)
    log.info("block %d %s %s, %d transactions", block["number"], block["hash"], block["kind"], block["transactions"])


def run(options: argparse.Namespace) -> int:
    """Run the command, until a signal comes or the chain cannot be followed any further."""
    from lightbroker.watcher.live import LiveChain

    if options.handler is None:
        import_module("lightbroker.watcher.verify")  # fails now, before anything has begun, if its library is missing
    handler = check_block if options.handler is None else _load(options.handler)
    chain = LiveChain(options.url, start=options.start, slot=options.slot)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    failure: list[BaseException] = []
    with Signals() as signals, ExitStack() as stack:
        store = open_store(options.store)
        broker = stack.enter_context(closing(Broker(store)))
        queue = broker.queue(options.queue, capacity=options.capacity, overflow=options.overflow)
        path = _journal_path(options, store)
        journal = None if path is None else stack.enter_context(closing(Journal(path, queue)))
        watcher = ChainWatcher(broker, chain.block, queue=options.queue, journal=journal)
        if options.metrics:
            from lightbroker.server import MetricsServer

            server = stack.enter_context(MetricsServer(broker, *options.metrics))
            log.info("serving %s", server.url)
        pool = broker.workers(options.queue, handler, options.workers) if options.workers else None

        def follow() -> None:
            try:
                chain.follow(watcher)
            except BaseException as error:
                failure.append(error)
            finally:
                signals.stop()

        source = threading.Thread(target=follow, name="lightbroker-watch", daemon=True)
        source.start()
        signals.wait()
        log.info("stopping: what runs is finished; a second signal ends it at once")
        chain.stop()  # before `refuse`: a stopping chain does not report a refused push as a failure
        broker.refuse()
        if pool is not None:
            pool.stop()
        source.join(_JOIN_TIME)
        left = queue.stats()
        try:
            broker.check()
            law = "holds"
        except InvariantError as error:
            failure.append(error)
            law = "is broken"
        broker.close()
    seen = watcher.stats
    print(
        f"connections {chain.connections}, heads {seen.heads}, reorganisations {seen.reorganisations}, blocks added "
        f"{seen.added}, removed {seen.removed}\n"
        f"queue {options.queue!r} in all: {left.acked} done, {left.dead} dead, {left.held} left"
        f"{', lost with the memory' if left.held and path is None else ''}; the conservation law {law}"
    )
    for reason in failure:
        print(f"lightbroker: {reason}", file=sys.stderr)
    return 1 if failure else 0


def _load(name: str) -> Callable[[Message], object]:
    """Return the function that MODULE:FUNCTION names. Raises ValueError if there is none."""
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise ValueError(f"--handler: {name!r} is not MODULE:FUNCTION, such as myapp.blocks:handle")
    sys.path.insert(0, os.getcwd())  # as `python -m` does
    try:
        handler = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"--handler: there is no {name!r} here: {error}") from error
    if not callable(handler):
        raise ValueError(f"--handler: {name!r} is no function")
    return cast("Callable[[Message], object]", handler)


def _journal_path(options: argparse.Namespace, store: Store) -> Path | None:
    """Return the journal's file, or None for a queue in memory, which ends with the process and needs no journal."""
    scheme = urlsplit(options.store).scheme
    given: Path | None = options.journal
    if scheme == "memory" and given is not None:
        raise ValueError("--journal: the queue is in memory, and lost when the process ends; choose a --store")
    if given is not None or scheme == "memory":
        return given
    if scheme == "sqlite":
        return Path(f"{cast('SqliteStore', store).path}.{quote(options.queue, safe='')}.journal")
    raise ValueError(f"--journal: name a file that remembers what was queued; a {scheme}:// store has no place for it")
