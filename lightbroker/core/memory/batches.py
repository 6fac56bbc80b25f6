"""Many messages at once, for a queue in memory.

Each message still moves by one step. A batch is cheaper because one call into C takes the step again and again:
`deque(steps, maxlen=0)` advances an iterator to its end and keeps nothing.
"""

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import repeat
from queue import Empty

from lightbroker.core.memory.steps import Steps
from lightbroker.core.message import Leased, Message
from lightbroker.core.waiting import wake


def enter_many(steps: Steps, messages: Sequence[Message]) -> int:
    """Make messages from the head READY as long as there are permits, and return how many entered."""
    # zip asks `bound` first, so the last round ends before it has taken a permit.
    bound, rest = repeat(None, len(messages)), iter(messages)
    entering = map(steps.announce, steps.here, map(steps.insert, steps.permits_now, rest), steps.accepted)
    shut_out = 0
    try:
        deque(zip(bound, entering), maxlen=0)
    except Empty:
        pass  # map asks for the permit first, so `rest` still begins with the message that needed it
    except TypeError:
        steps.pool.put(None)  # what closing put among the permits stays there for the next push
        shut_out = 1  # the message that was taken from `rest` did not enter
    wake(steps.pullers, len(messages))
    return len(messages) - len(list(rest)) - shut_out


def lease_many(steps: Steps, batch: Sequence[Leased]) -> None:
    """Lease a READY message under each delivery of `batch`, as long as there are any."""
    with suppress(Empty, IndexError):  # no more are READY, or the queue closes; what was leased so far stays leased
        # zip asks for the delivery first, so the last round ends before it has taken a message.
        steps.leased.update(zip(batch, steps.take_now))


def settle_many(steps: Steps, deliveries: Sequence[Leased]) -> list[Leased]:
    """Ack all whose lease holds, and return the others."""
    rest = iter(deliveries)
    late: dict[Leased, None] = {}
    while True:
        try:
            deque(zip(map(steps.unlease, rest), steps.leave_acked), maxlen=0)
            break
        except KeyError as error:  # this one was not leased; `rest` goes on behind it
            late[error.args[0]] = None
    wake(steps.pushers, len(deliveries))
    if steps.note is not None:
        for delivery in deliveries:
            if delivery not in late:
                steps.tell(steps.now(), delivery.message, "LEASED", "acked", "ack")
    return list(late)
