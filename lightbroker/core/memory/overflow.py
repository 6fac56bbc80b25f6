"""What a full queue in memory does with a message for which there is no permit."""

from queue import Empty

from lightbroker.core import errors
from lightbroker.core.memory.failing import Failing
from lightbroker.core.memory.steps import Steps
from lightbroker.core.message import Message
from lightbroker.core.policy import Overflow


def overflow(steps: Steps, failing: Failing, message: Message) -> bool | None:
    """Follow the queue's overflow policy for `message`.

    Returns:
        What the push returns: True if the message was accepted, False if it was dropped. None means that an older
        message was dropped, and the push has to try again.

    Raises:
        QueueFull: The policy is REJECT, or it is BLOCK and the time is over.
        IndexError: The queue closes; see `steps`.
    """
    policy = steps.options.overflow
    if policy in (Overflow.BLOCK, Overflow.REJECT):
        next(steps.refused)
        raise errors.full(steps.name, steps.options.capacity)
    if policy is Overflow.DEAD_LETTER:
        with steps.lock:
            failing.bury(steps.accepted, message.with_attempts(0, None), "overflow", "NEW")
        return True
    if policy is Overflow.DROP_OLDEST:
        try:
            oldest, _ = next(zip(steps.take_now, steps.leave_dropped))
            steps.tell(steps.now(), oldest, "READY", "dropped", "overflow")
            return None
        except Empty:
            pass  # leased and delayed messages take all the room: the new message is dropped, as for DROP_NEWEST
    next(zip(steps.accepted, steps.dropped))
    steps.tell(steps.now(), message, "NEW", "dropped", "overflow")
    return False
