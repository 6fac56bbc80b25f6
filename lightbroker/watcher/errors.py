"""What can go wrong between a chain and the queue."""

from lightbroker.core.errors import BrokerError


class ChainError(BrokerError):
    """Base of every error that the block watcher raises on its own account."""


class BlockUnavailable(ChainError):
    """The node does not have a block that another block names as its parent, or answered with a different one."""


class GapTooLong(ChainError):
    """More blocks are missing between the chain and a new head than one head may cause to be fetched."""


class ReorgTooDeep(ChainError):
    """A head forks off below the oldest block that the watcher still holds."""


class InvalidBlock(ChainError):
    """A block contradicts its own hash or its parent."""


class MissingLibrary(ChainError, ImportError):
    """A library of an optional extra is not installed."""


class NodeError(ChainError):
    """A node refused a request, or sent what cannot be understood."""


class ConnectionLost(NodeError):
    """A node cannot be reached or stopped answering; connecting again may help."""


class JournalError(ChainError):
    """A watcher's journal is damaged, in use, or belongs to another queue or store."""


class RecordingError(ChainError):
    """A recording is torn, truncated or malformed.

    Attributes:
        name: the recording's file name.
        line: the line, counted from 1, that could not be used.
    """

    def __init__(self, name: str, line: int, problem: str) -> None:
        """Describe `problem` on line `line` of the recording `name`."""
        super().__init__(f"{name}, line {line}: {problem}")
        self.name = name
        self.line = line
