"""Mutations of the queues for coroutines: waiting, the hot path over memory, calls in threads."""

from tests.adversary.mutations.patching import Table

PATCHES: Table = {
    "Bell.ring": [
        (
            "a waiter wakes another thread's loop at once",
            "asyncio._get_running_loop() is self.loop and not self._woken",
            "True",
        ),
        ("a closed loop keeps its wake", "self._bury()", ""),
    ],
    "Bell._answer": [
        ("an answer keeps the mark", "self._rung = False", ""),
        (
            "an answer wakes one",
            """
            while self._woken:
                self._woken.popleft().wake()
            """,
            """
            if self._woken:
                self._woken.popleft().wake()
            """,
        ),
    ],
    "Bell._bury": [
        ("the dead stay in line", "sleepers.remove(sleeper)", ""),
    ],
    "Waiter.wake": [
        ("who was cancelled is woken", "not self._future.done()", "True"),
    ],
    "Waiter.wait": [
        ("a timer stays", "timer.cancel()", ""),
    ],
    "aio.waiting:attempt": [
        (
            "a coroutine hangs up too late",
            """
            hang_up(waiter)
            try:
                result = await step()
                sent = False
                return result
            except Empty:
                sent = False
                if until is not None and loop.time() >= until:
                    raise
            """,
            """
            try:
                result = await step()
                sent = False
                return result
            except Empty:
                hang_up(waiter)
                sent = False
                if until is not None and loop.time() >= until:
                    raise
            """,
        ),
        ("a wake is not handed on", "(waiter.leave(), sent)", "(waiter.leave() and False, sent)"),
        ("a wake is not handed on by a step that failed", "(waiter.leave(), sent)", "(waiter.leave(), False)"),
        (
            "a wake of use is handed on",
            """
            sent = False
            return result
            """,
            "return result",
        ),
        (
            "a wake in vain is handed on",
            """
            sent = False
            if until is not None and loop.time() >= until:
                raise
            """,
            """
            if until is not None and loop.time() >= until:
                raise
            """,
        ),
        (
            "who was woken in vain goes to the back",
            "waiter, hang_up = Waiter(sleepers), sleepers.appendleft",
            "waiter, hang_up = Waiter(sleepers), sleepers.append",
        ),
        ("a time-out is forgotten", "until is not None and loop.time() >= until", "False"),
    ],
    "DirectQueue.push": [
        (
            "an async push does not count",
            "map(queue._announce, queue._here, entering, queue._accepted)",
            "map(queue._announce, queue._here, entering)",
        ),
        (
            "an async push takes no permit",
            "map(queue._insert, queue._permits_now, (message,))",
            "map(queue._insert, (2**62,), (message,))",
        ),
        (
            "an async push waits",
            "map(queue._insert, queue._permits_now, (message,))",
            "map(queue._insert, queue._permits, (message,))",
        ),
        (
            "an async push does not rouse who pulls",
            """
            if queue.pullers:
                rouse(queue.pullers)
            """,
            "",
        ),
        ("an async push keeps the word that it is closed", "queue._push_woken()", "queue._closed_error()"),
        (
            "an async push goes on when refused",
            "timeout is None and delay == 0.0 and ttl is None and headers is None and not queue._refusing",
            "timeout is None and delay == 0.0 and ttl is None and headers is None",
        ),
        (
            "an async push forgets the delay",
            "timeout is None and delay == 0.0 and ttl is None and headers is None and not queue._refusing",
            "timeout is None and ttl is None and headers is None and not queue._refusing",
        ),
        (
            "an async push forgets the TTL",
            "timeout is None and delay == 0.0 and ttl is None and headers is None and not queue._refusing",
            "timeout is None and delay == 0.0 and headers is None and not queue._refusing",
        ),
    ],
    "DirectDelivery.__await__": [
        ("a pull leases twice", "raise again()", ""),
        (
            "an async pull in two steps",
            "message = next(map(queue._lease, (self,), queue._take_now))",
            """
            message = next(queue._take_now)
            queue._lease(self, message)
            """,
        ),
        (
            "an async pull gives when closed",
            """
            if queue._closed:
                raise queue._closed_error()
            """,
            "",
        ),
        ("an async pull keeps the word that it is closed", "queue._pull_woken()", "queue._closed_error()"),
        ("an async pull gives what expired", "message.expires > now", "True"),
        ("an async pull does not expire", "queue._expire_leased(self, message)", ""),
    ],
    "DirectDelivery.ack": [
        ("an async ack does not count", "next(zip(map(queue._unlease, (self,)), queue._ack))", "queue._unlease(self)"),
        (
            "an async ack counts first",
            "zip(map(queue._unlease, (self,)), queue._ack)",
            "zip(queue._ack, map(queue._unlease, (self,)))",
        ),
        (
            "an async ack does not rouse who pushes",
            """
            if queue.pushers:
                rouse(queue.pushers)
            """,
            "",
        ),
    ],
    "DirectDelivery.__aexit__": [
        ("a block that raised is acked", "error is None and self._held is None", "self._held is None"),
    ],
    "AsyncStore.push_many": [
        (
            "a coroutine waits under every policy",
            "self._options.overflow is Overflow.BLOCK and timeout != 0.0",
            "timeout != 0.0",
        ),
        (
            "the last try is not counted",
            "self.call(self._queue.enter, messages, taken, delay, last=True)",
            "self.call(self._queue.enter, messages, taken, delay)",
        ),
        (
            "an async batch does not say what was accepted",
            "naming_accepted(messages, taken)",
            "naming_accepted(messages, [])",
        ),
    ],
    "ThreadedStore._lease_for": [
        ("who left is delivered to", "self._release(found)", ""),
    ],
    "ThreadedStore.lease": [
        ("what was handed over is kept", "job.add_done_callback(self._give_back)", ""),
    ],
    "ThreadedStore.ack_many": [
        (
            "an ack of another store's is forgotten",
            "[delivery.inner if isinstance(delivery, ThreadedDelivery) else delivery for delivery in deliveries]",
            "[delivery.inner for delivery in deliveries if isinstance(delivery, ThreadedDelivery)]",
        ),
    ],
    "ThreadedStore._settle": [
        (
            "an ack can be cancelled",
            "asyncio.shield(asyncio.wrap_future(self._desk.submit(function, *args, **kwargs)))",
            "asyncio.wrap_future(self._desk.submit(function, *args, **kwargs))",
        ),
    ],
    "ThreadedStore.extend": [
        ("an extended lease looks as before", "delivery.deadline = delivery.inner.deadline", ""),
    ],
    "settle": [
        ("a cancelled block nacks", "isinstance(error, Exception)", "True"),
        ("a late nack of a block raises", "suppress(LeaseLost)", "suppress(ZeroDivisionError)"),
    ],
}
