"""From a chain's announced heads to queue "blocks".

block.py       a block as a message, read from a node's JSON
watcher.py     ChainWatcher: duplicates dropped, gaps filled, reorganisations emitted
journal.py     Journal: each block is queued exactly once, across kills of the watcher
format.py      the file format of recordings
recording.py   Recording: a recorded chain as a source of heads and blocks
verify.py      recompute a block's hash, check its parent (needs the extra "chain")
rpc.py         one WebSocket to a node (needs the extra "live")
live.py        LiveChain: a node's chain as a source, over as many connections as it takes
capture.py     record a node's heads; run it with python -m
scenario.py    record a local chain that misbehaves on purpose; run it with python -m

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
