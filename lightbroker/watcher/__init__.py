"""From a chain's announced heads to queue "blocks".

    errors block         what can go wrong; a block as a message, read from a node's JSON
    journal              Journal: each block is queued exactly once, across kills of the watcher
    watcher              ChainWatcher: duplicates dropped, gaps filled, reorganisations emitted
    format               the file format of recordings
    recording            Recording: a recorded chain as a source of heads and blocks
    verify               recompute a block's hash, check its parent (needs the extra "chain")
    rpc                  one WebSocket to a node (needs the extra "live")
    live                 LiveChain: a node's chain as a source, over as many connections as it takes
    capture scenario     record a node's heads; record a local chain that misbehaves on purpose: python -m
    demo                 the block pipeline on a recorded chain

A source is whatever calls `ChainWatcher.see(head)` and answers `fetch(hash)`.
"""

from lightbroker.watcher.block import BlockMessage
from lightbroker.watcher.errors import (
    BlockUnavailable,
    ChainError,
    ConnectionLost,
    GapTooLong,
    InvalidBlock,
    JournalError,
    MissingLibrary,
    NodeError,
    RecordingError,
    ReorgTooDeep,
)
from lightbroker.watcher.journal import Journal
from lightbroker.watcher.recording import Recording
from lightbroker.watcher.watcher import ChainWatcher, WatcherStats

__all__ = [
    "BlockMessage",
    "BlockUnavailable",
    "ChainError",
    "ChainWatcher",
    "ConnectionLost",
    "GapTooLong",
    "InvalidBlock",
    "Journal",
    "JournalError",
    "MissingLibrary",
    "NodeError",
    "Recording",
    "RecordingError",
    "ReorgTooDeep",
    "WatcherStats",
]
