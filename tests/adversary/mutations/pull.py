"""Mutations of the hot path out: pull, take and ack in memory. Then the steps under push and pull, and closing."""

from tests.adversary.mutations.patching import Table

PATCHES: Table = {
    "MemoryQueue.pull": [
        (
            "pull does not look whether it is closed",
            """
            if self._closed:
                raise self._closed_error()
            """,
            "",
        ),
        (
            "pull does not look at the TTL",
            """
            if message.expires <= now:
                self._expire_leased(delivery, message)
                continue
            """,
            "",
        ),
        (
            "a lease is twice as long",
            "delivery.deadline = now + self._lease_seconds",
            "delivery.deadline = now + 2 * self._lease_seconds",
        ),
        (
            "pull in two steps: take, lease",
            "message = next(map(self._lease, (delivery,), take))",
            """
            message = next(take)
            self._lease(delivery, message)
            """,
        ),
        (
            "a timed pull does not wait",
            "attempt(self.pullers, lambda: self.pull(0.0, kind), timeout)",
            "self.pull(0.0)",
        ),
        ("pull swallows the close", "self._pull_woken()", "self._closed_error()"),
    ],
    "MemoryQueue.pull_many": [
        ("pull_many does not look at the TTL", "message is not None and message.expires > now", "message is not None"),
        (
            "pull_many keeps what has expired",
            """
            if message is not None:
                self._expire_leased(delivery, message)
            """,
            "",
        ),
        (
            "pull_many takes more than asked for",
            "min(most - 1, len(self._steps.ready))",
            "min(most, len(self._steps.ready))",
        ),
    ],
    "lease_many": [
        (
            "pull_many takes a message too many",
            "zip(batch, steps.take_now)",
            "((one, message) for message, one in zip(steps.take_now, batch))",
        ),
        (
            "pull_many in two steps: take, lease",
            "zip(batch, steps.take_now)",
            "zip(batch, [next(steps.take_now) for _ in batch])",
        ),
        ("pull_many fails if others are faster", "suppress(Empty, IndexError)", "suppress(IndexError)"),
    ],
    "Buffer.take": [
        ("take keeps the permit", "zip(self._take_now, self._ack)", "zip(self._take_now, self._steps.acked)"),
        (
            "take does not look whether it is closed",
            """
            if self._closed:
                raise self._closed_error()
            """,
            "",
        ),
        (
            "take does not wake who pushes",
            """
            if self.pushers:
                wake(self.pushers)
            """,
            "",
        ),
    ],
    "MemoryQueue.ack": [
        ("ack does not count", "next(zip(map(self._unlease, (delivery,)), self._ack))", "self._unlease(delivery)"),
        (
            "ack counts first",
            "zip(map(self._unlease, (delivery,)), self._ack)",
            "zip(self._ack, map(self._unlease, (delivery,)))",
        ),
        (
            "ack in two steps: settle, count",
            "next(zip(map(self._unlease, (delivery,)), self._ack))",
            """
            self._unlease(delivery)
            next(self._ack)
            """,
        ),
        ("a late ack is taken", "raise self._lost(delivery) from None", "return"),
        (
            "ack does not wake who pushes",
            """
            if self.pushers:
                wake(self.pushers)
            """,
            "",
        ),
    ],
    "settle_many": [
        (
            "ack_many ends at the first late one",
            "late[error.args[0]] = None",
            """
            late[error.args[0]] = None
            break
            """,
        ),
        ("ack_many rouses one", "wake(steps.pushers, len(deliveries))", "wake(steps.pushers)"),
        ("ack_many does not say what was late", "list(late)", "[]"),
    ],
    "PERMIT": [
        ("a permit is the front", "sys.maxsize", "0"),
    ],
    "Steps._hold_messages": [
        (
            "last in, first out",
            "map(deque.popleft, map(self.tokens.get, repeat(False)))",
            "map(deque.pop, map(self.tokens.get, repeat(False)))",
        ),
    ],
    "Steps.__init__": [
        ("BLOCK does not wait", "options.overflow is Overflow.BLOCK", "False"),
    ],
    "Steps.check_rights": [
        ("check overlooks permits", "stats.capacity is not None", "False"),
        ("check overlooks tokens", "self.tokens.qsize() != stats.ready", "False"),
    ],
    "MemoryQueue.refuse": [
        ("refuse wakes no push", "self._steps.pool.put(None)", ""),
        ("refuse rouses one push", "wake(self.pushers, len(self.pushers))", "wake(self.pushers)"),
    ],
    "MemoryQueue.close": [
        ("close wakes no pull", "self._steps.tokens.put(deque())", ""),
        ("close rouses one pull", "wake(self.pullers, len(self.pullers))", "wake(self.pullers)"),
        ("close does not refuse", "self.refuse()", ""),
    ],
    "MemoryQueue._push_woken": [
        ("a woken push wakes no other", "self._steps.pool.put(None)", ""),
    ],
    "MemoryQueue._pull_woken": [
        ("a woken pull wakes no other", "self._steps.tokens.put(deque())", ""),
    ],
}
