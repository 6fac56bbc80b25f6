"""Patches to the hot path: push, pull and ack in memory, and the steps they are made of."""

_ENTER_FAST = "next(map(self._announce, self._here, map(self._insert, self._permits, (message,)), self._accepted))"
_ENTER = "next(map(self._announce, self._here, map(self._insert, permits, (message,)), self._accepted))"
_ACK = "next(zip(map(self._unlease, (delivery,)), self._ack))"
_CLOSED = "raise self._closed_error()\n"

PATCHES: dict[str, list[tuple[str, str, str]]] = {
    "core/memory/queue.py": [
        ("push does not count", _ENTER_FAST, _ENTER_FAST.replace(", self._accepted", "")),
        ("push takes no permit", _ENTER_FAST, _ENTER_FAST.replace("self._permits", "(2**62,)")),
        (
            "push does not announce",
            _ENTER_FAST,
            "next(zip(map(self._insert, self._permits, (message,)), self._accepted))",
        ),
        (
            "push in two steps: permit, enter",
            f"                    {_ENTER_FAST}",
            "                    permit = next(self._permits)\n                    "
            + _ENTER_FAST.replace("self._permits", "(permit,)"),
        ),
        (
            "push does not look whether it is refused",
            f"        if self._refusing:\n            {_CLOSED}        while True:\n            try:\n                if tim",
            "        while True:\n            try:\n                if tim",
        ),
        (
            "push does not watch the TTL",
            "                    if message.expires < NEVER:\n                        self._watch(message)\n",
            "",
        ),
        (
            "push does not rouse who pulls",
            "                raise self._push_woken() from None\n        if self._pullers:\n            rouse(self._pullers)\n",
            "                raise self._push_woken() from None\n",
        ),
        (
            "a timed push does not wait",
            "attempt(self._pushers, lambda: self._enter(message, self._permits_now, delay), timeout)",
            "self._enter(message, self._permits_now, delay)",
        ),
        (
            "a waiting push does not look whether it is refused",
            f"        if self._refusing:\n            {_CLOSED}        if delay:",
            "        if delay:",
        ),
        ("a delayed push does not count", "zip(map(index, permits), self._accepted)", "map(index, permits)"),
        ("a delayed push takes no permit", "zip(map(index, permits), self._accepted)", "self._accepted"),
        ("a delayed push overlooks the close", "zip(map(index, permits), ", "zip(permits, "),
        (
            "a timed push does not watch the TTL",
            f"        {_ENTER}\n        if message.expires < NEVER:\n            self._watch(message)\n",
            f"        {_ENTER}\n",
        ),
        (
            "push_many takes a permit too many",
            "deque(zip(bound, entering), maxlen",
            "deque(zip(entering, bound), maxlen",
        ),
        ("push_many rouses one", "rouse(self._pullers, len(messages))", "rouse(self._pullers)"),
        ("push_many forgets the TTL", "messages[0].expires < NEVER or self._refusing", "self._refusing"),
        ("push_many ignores the delay", "self._refusing or delay or self._note", "self._refusing or self._note"),
        ("push_many goes on when refused", "self._refusing or delay or self._note", "delay or self._note"),
        ("push_many counts what the close shut out", "            shut_out = 1\n", ""),
        (
            "push_many keeps the word that it is closed",
            "            self._push_woken()\n            shut_out",
            "            shut_out",
        ),
        ("offer keeps the word that it is closed", "            queue._push_woken()\n", "            pass\n"),
        (
            "push_now waits",
            "self._enter(message, self._permits_now, delay)\n        except TypeError",
            "self._enter(message, self._permits, delay)\n        except TypeError",
        ),
        (
            "push_now overflows",
            "if self._options.overflow is not Overflow.BLOCK:\n            return self.push(message, None, delay)",
            "if True:\n            return self.push(message, 0.0, delay)",
        ),
        (
            "push_now does not rouse who pulls",
            "permits\n            raise self._push_woken() from None\n        if self._pullers:\n            rouse(self._pullers)\n",
            "permits\n            raise self._push_woken() from None\n",
        ),
        (
            "push_many does not say what was accepted",
            "if entered)\n                raise",
            "if False)\n                raise",
        ),
        ("push_many waits for each", "timeout and max(0.0, until - time.monotonic())", "timeout"),
        ("a refusal is not counted", "            next(self._refused)\n", ""),
        ("an overflow letter is not counted", "self._bury(self._accepted, ", "self._bury(iter((0,)), "),
        (
            "drop-oldest keeps the permit",
            "next(zip(self._take_now, self._drop))",
            "next(zip(self._take_now, self._dropped))",
        ),
        (
            "drop-oldest counts first",
            "oldest, _ = next(zip(self._take_now, self._drop))",
            "_, oldest = next(zip(self._drop, self._take_now))",
        ),
        (
            "drop-oldest in two steps",
            "oldest, _ = next(zip(self._take_now, self._drop))",
            "oldest = next(self._take_now)\n                next(self._drop)",
        ),
        (
            "drop-oldest swallows the close",
            "raise self._pull_woken() from None\n        next(zip",
            "raise self._closed_error() from None\n        next(zip",
        ),
        ("a dropped push is not accepted", "next(zip(self._accepted, self._dropped))", "next(self._dropped)"),
        (
            "pull does not look whether it is closed",
            f"            if self._closed:\n                {_CLOSED}            delivery",
            "            delivery",
        ),
        (
            "pull does not look at the TTL",
            "            if message.expires <= now:\n                self._expire_leased(delivery, message)\n"
            "                continue\n            delivery.store",
            "            delivery.store",
        ),
        ("a lease is twice as long", "delivery.deadline = now + self._l", "delivery.deadline = now + 2 * self._l"),
        (
            "pull in two steps: take, lease",
            "message = next(map(self._lease, (delivery,), take))",
            "message = next(take)\n                self._lease(delivery, message)",
        ),
        (
            "a timed pull does not wait",
            "return attempt(self._pullers, lambda: self.pull(0.0, kind), timeout)",
            "return self.pull(0.0)",
        ),
        (
            "pull swallows the close",
            "raise outcome.empty(self._name, timeout) from None\n            except IndexError:  # an empty deque among "
            "the tokens\n                raise self._pull_woken()",
            "raise outcome.empty(self._name, timeout) from None\n            except IndexError:\n"
            "                raise self._closed_error()",
        ),
        (
            "pull_many takes a message too many",
            "zip(batch, self._take_now)",
            "((one, message) for message, one in zip(self._take_now, batch))",
        ),
        (
            "pull_many in two steps: take, lease",
            "self._leased.update(zip(batch, self._take_now))",
            "self._leased.update(zip(batch, [next(self._take_now) for _ in batch]))",
        ),
        (
            "pull_many does not look at the TTL",
            "message is not None and message.expires > now:",
            "message is not None:",
        ),
        (
            "pull_many keeps what has expired",
            "            elif message is not None:\n                self._expire_leased(delivery, message)\n",
            "",
        ),
        ("pull_many takes more than asked for", "min(most - 1, len", "min(most, len"),
        (
            "pull_many fails if others are faster",
            "with suppress(Empty, IndexError):  # others",
            "with suppress(IndexError):  # others",
        ),
        ("take keeps the permit", "next(zip(self._take_now, self._ack))", "next(zip(self._take_now, self._acked))"),
        (
            "take does not look whether it is closed",
            f"        if self._closed:\n            {_CLOSED}        try:\n            message, _",
            "        try:\n            message, _",
        ),
        (
            "take does not rouse who pushes",
            "        if self._pushers:\n            rouse(self._pushers)\n        return message",
            "        return message",
        ),
        ("ack does not count", _ACK, "self._unlease(delivery)"),
        (
            "ack counts first",
            _ACK,
            "next(zip(self._ack, map(self._unlease, (delivery,))))",
        ),
        (
            "ack in two steps: settle, count",
            _ACK,
            "self._unlease(delivery)\n            next(self._ack)",
        ),
        (
            "a late ack is taken",
            "            raise self._lost(delivery) from None\n        if self._pushers",
            "            return\n        if self._pushers",
        ),
        (
            "ack does not rouse who pushes",
            "        if self._pushers:\n            rouse(self._pushers)\n        if self._note",
            "        if self._note",
        ),
        (
            "ack_many ends at the first late one",
            "lost[error.args[0]] = None",
            "lost[error.args[0]] = None\n                break",
        ),
        ("ack_many rouses one", "rouse(self._pushers, len(deliveries))", "rouse(self._pushers)"),
        (
            "ack_many does not say what was late",
            "        if lost:\n            raise",
            "        if False:\n            raise",
        ),
        (
            "offer does not count",
            "next(map(queue._announce, queue._here, entering, queue._accepted))",
            "next(map(queue._announce, queue._here, entering))",
        ),
        ("offer rouses nobody", "            if queue._pullers:\n                rouse(queue._pullers)\n", ""),
        ("offer ends at a full or closed buffer", "with suppress(QueueFull, QueueClosed):", "with suppress():"),
    ],
    "core/memory/steps.py": [
        ("a permit is the front", "PERMIT = sys.maxsize", "PERMIT = 0"),
        (
            "last in, first out",
            "self._take_now: Iterator[Message] = map(deque.popleft,",
            "self._take_now: Iterator[Message] = map(deque.pop,",
        ),
        ("BLOCK does not wait", "map(get, repeat(options.overflow is Overflow.BLOCK))", "map(get, repeat(False))"),
        ("check overlooks permits", "if stats.capacity is not None and self._pool", "if False and self._pool"),
        ("check overlooks tokens", "if self._tokens.qsize() != stats.ready:", "if False:"),
        (
            "refuse wakes no push",
            "                self._pool.put(None)\n                rouse",
            "                rouse",
        ),
        ("refuse rouses one push", "rouse(self._pushers, len(self._pushers))", "rouse(self._pushers)"),
        (
            "close wakes no pull",
            "                self._tokens.put(deque())\n                rouse",
            "                rouse",
        ),
        ("close rouses one pull", "rouse(self._pullers, len(self._pullers))", "rouse(self._pullers)"),
        ("close does not refuse", "        self.refuse()\n", ""),
        ("a woken push wakes no other", "        self._pool.put(None)\n        return", "        return"),
        ("a woken pull wakes no other", "        self._tokens.put(deque())\n        return", "        return"),
    ],
}
