"""The exceptions of the block watcher."""

from lightbroker.core.errors import BrokerError


class ChainError(BrokerError):
    """The base of every error that the block watcher raises itself."""


class BlockUnavailable(ChainError):
    """The node does not have a block that is needed, or it answered with a different block."""


class GapTooLong(ChainError):
    """Too many blocks are missing between the chain and a new head. The limit is the most that one head may fetch."""


class ReorgTooDeep(ChainError):
    """A head belongs to a branch that leaves the chain below the oldest block that the watcher still keeps."""


class InvalidBlock(ChainError):
    """The contents of a block do not have the hash that it claims, or do not fit its parent."""


class MissingLibrary(ChainError, ImportError):
    """A library of an optional extra is not installed."""


class NodeError(ChainError):
    """A node refused a request, or sent a message that is not JSON-RPC."""


class ConnectionLost(NodeError):
    """A node cannot be reached, or stopped answering. A new connection may help."""


class JournalError(ChainError):
    """A watcher's journal is damaged, in use by another watcher, or belongs to another queue or store."""


class RecordingError(ChainError):
    """A recording is cut off or malformed.

    Attributes:
        name: The recording's file name.
        line: The number of the line that could not be used, counted from 1.
    """

    def __init__(self, name: str, line: int, problem: str) -> None:
        super().__init__(f"{name}, line {line}: {problem}")
        self.name = name
        self.line = line
