"""Mutations of the hot path in: push in memory, one or many."""

from tests.adversary.mutations.patching import Table

PATCHES: Table = {
    "MemoryQueue.push": [
        (
            "push does not count",
            "map(self._announce, self._here, map(self._insert, self._permits, (message,)), self._accepted)",
            "map(self._announce, self._here, map(self._insert, self._permits, (message,)))",
        ),
        (
            "push takes no permit",
            "map(self._insert, self._permits, (message,))",
            "map(self._insert, (2**62,), (message,))",
        ),
        (
            "push does not announce",
            "map(self._announce, self._here, map(self._insert, self._permits, (message,)), self._accepted)",
            "zip(map(self._insert, self._permits, (message,)), self._accepted)",
        ),
        (
            "push in two steps: permit, enter",
            "next(map(self._announce, self._here, map(self._insert, self._permits, (message,)), self._accepted))",
            """
            permit = next(self._permits)
            next(map(self._announce, self._here, map(self._insert, (permit,), (message,)), self._accepted))
            """,
        ),
        (
            "push does not look whether it is refused",
            """
            if self._refusing:
                raise self._closed_error()
            """,
            "",
        ),
        (
            "push does not watch the TTL",
            """
            if message.expires < NEVER:
                self._failing.watch(message)
            """,
            "",
        ),
        (
            "push does not wake who pulls",
            "self._entered(message, delay)",
            "",
        ),
        (
            "a timed push does not wait",
            "attempt(self.pushers, lambda: self._enter(message, self._permits_now, delay), timeout)",
            "self._enter(message, self._permits_now, delay)",
        ),
    ],
    "MemoryQueue._enter": [
        (
            "a waiting push does not look whether it is refused",
            """
            if self._refusing:
                raise self._closed_error()
            """,
            "",
        ),
        ("a delayed push does not count", "zip(map(index, permits), self._accepted)", "map(index, permits)"),
        ("a delayed push takes no permit", "zip(map(index, permits), self._accepted)", "self._accepted"),
        ("a delayed push overlooks the close", "map(index, permits)", "permits"),
        (
            "a timed push does not watch the TTL",
            """
            if message.expires < NEVER:
                self._failing.watch(message)
            """,
            "",
        ),
    ],
    "MemoryQueue._enter_many": [
        (
            "push_many forgets the TTL",
            "not messages or messages[0].expires < NEVER or self._refusing or delay or self._note is not None",
            "not messages or self._refusing or delay or self._note is not None",
        ),
        (
            "push_many ignores the delay",
            "not messages or messages[0].expires < NEVER or self._refusing or delay or self._note is not None",
            "not messages or messages[0].expires < NEVER or self._refusing or self._note is not None",
        ),
        (
            "push_many goes on when refused",
            "not messages or messages[0].expires < NEVER or self._refusing or delay or self._note is not None",
            "not messages or messages[0].expires < NEVER or delay or self._note is not None",
        ),
    ],
    "enter_many": [
        ("push_many takes a permit too many", "zip(bound, entering)", "zip(entering, bound)"),
        ("push_many rouses one", "wake(steps.pullers, len(messages))", "wake(steps.pullers)"),
        ("push_many counts what the close shut out", "shut_out = 1", ""),
        ("push_many keeps the word that it is closed", "steps.pool.put(None)", ""),
    ],
    "buffer:offer": [
        ("offer keeps the word that it is closed", "buffer._push_woken()", ""),
        (
            "offer does not count",
            "map(buffer._announce, buffer._here, entering, buffer._accepted)",
            "map(buffer._announce, buffer._here, entering)",
        ),
        (
            "offer rouses nobody",
            """
            if buffer.pullers:
                wake(buffer.pullers)
            """,
            "",
        ),
        (
            "offer ends at a full or closed buffer",
            """
            with suppress(QueueFull, QueueClosed):
                taken += buffer.push(message, None, 0.0)
            """,
            """
            with suppress():
                taken += buffer.push(message, None, 0.0)
            """,
        ),
    ],
    "MemoryQueue.push_now": [
        (
            "push_now waits",
            "self._enter(message, self._permits_now, delay)",
            "self._enter(message, self._permits, delay)",
        ),
        (
            "push_now overflows",
            """
            if self._options.overflow is not Overflow.BLOCK:
                return self.push(message, None, delay)
            """,
            """
            if True:
                return self.push(message, 0.0, delay)
            """,
        ),
        (
            "push_now does not wake who pulls",
            "self._entered(message, delay)",
            "",
        ),
    ],
    "push_all": [
        (
            "push_many does not say what was accepted",
            "naming_accepted(messages, taken)",
            "naming_accepted(messages, [])",
        ),
        (
            "push_many waits for each",
            "attempt(queue.pushers, partial(queue.enter, messages, taken, delay), timeout)",
            """
            for end in range(len(taken) + 1, len(messages) + 1):
                attempt(queue.pushers, partial(queue.enter, messages[:end], taken, delay), timeout)
            """,
        ),
    ],
    "MemoryQueue._overflow": [
        ("drop-oldest swallows the close", "self._pull_woken()", "self._closed_error()"),
    ],
    "overflow": [
        ("a refusal is not counted", "next(steps.refused)", ""),
        (
            "an overflow letter is not counted",
            'failing.bury(steps.accepted, message.with_attempts(0, None), "overflow", "NEW")',
            'failing.bury(iter((0,)), message.with_attempts(0, None), "overflow", "NEW")',
        ),
        (
            "drop-oldest keeps the permit",
            "zip(steps.take_now, steps.leave_dropped)",
            "zip(steps.take_now, steps.dropped)",
        ),
        (
            "drop-oldest counts first",
            "oldest, _ = next(zip(steps.take_now, steps.leave_dropped))",
            "_, oldest = next(zip(steps.leave_dropped, steps.take_now))",
        ),
        (
            "drop-oldest in two steps",
            "oldest, _ = next(zip(steps.take_now, steps.leave_dropped))",
            """
            oldest = next(steps.take_now)
            next(steps.leave_dropped)
            """,
        ),
        ("a dropped push is not accepted", "zip(steps.accepted, steps.dropped)", "steps.dropped"),
    ],
}
