"""The block watcher: it follows an Ethereum chain and queues a message for each block that joins or leaves the chain.

A node announces the newest block of its chain, the head. A reorganisation replaces the newest blocks by others.

    errors block         the exceptions; a block as a message, read from a node's JSON
    journal              Journal: a file that lets a killed watcher resume without leaving out or repeating a block
    watcher              ChainWatcher: drops duplicates, fills gaps, reports reorganisations
    format               the file format of recordings
    recording            Recording: a recorded chain as a source
    verify               recompute a block's hash and check its parent (needs the extra "chain")
    rpc                  one WebSocket connection to a node (needs the extra "live")
    live                 LiveChain: a node's chain as a source, with a new connection after each failure
    capture scenario     programs for python -m: record a node's heads; record a local chain that misbehaves on purpose
    demo                 the block pipeline on a recorded chain

A source shows each head to `ChainWatcher.see`, and returns the block with a given hash when the watcher asks for it.
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
