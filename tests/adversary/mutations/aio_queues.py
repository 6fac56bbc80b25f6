"""Mutations of the queues for coroutines: waiting, the hot path over memory, calls in threads."""

from tests.adversary.mutations.patching import Table

PATCHES: Table = {
    "LoopWaker.wake": [
        (
            "a waiter wakes another thread's loop at once",
            "asyncio._get_running_loop() is self.loop and not self._woken",
            "True",
        ),
        ("a closed loop keeps its wake", "self._pass_on()", ""),
    ],
    "LoopWaker._resume_woken": [
        ("a call into the loop stays pending", "self._pending = False", ""),
        (
            "a call into the loop wakes one waiter",
            """
            while self._woken:
                self._woken.popleft().resume()
            """,
            """
            if self._woken:
                self._woken.popleft().resume()
            """,
        ),
    ],
    "LoopWaker._pass_on": [
        ("waiters of a closed loop stay on the list", "waiters.remove(other)", ""),
    ],
    "CoroutineWaiter.resume": [
        ("a cancelled waiter is woken", "not self._future.done()", "True"),
    ],
    "CoroutineWaiter.wait": [
        ("a timer stays", "timer.cancel()", ""),
    ],
    "aio.waiting:attempt": [
        (
            "a coroutine joins the list too late",
            """
            enlist(waiter)
            try:
                result = await step()
                woken = False
                return result
            except Empty:
                woken = False
                if until is not None and loop.time() >= until:
                    raise
            """,
            """
            try:
                result = await step()
                woken = False
                return result
            except Empty:
                enlist(waiter)
                woken = False
                if until is not None and loop.time() >= until:
                    raise
            """,
        ),
        ("an unused wake is not passed on", "(waiter.leave(), woken)", "(waiter.leave() and False, woken)"),
        ("a wake is not passed on by a step that failed", "(waiter.leave(), woken)", "(waiter.leave(), False)"),
        (
            "a used wake is passed on",
            """
            woken = False
            return result
            """,
            "return result",
        ),
        (
            "a wake in vain is passed on",
            """
            woken = False
            if until is not None and loop.time() >= until:
                raise
            """,
            """
            if until is not None and loop.time() >= until:
                raise
            """,
        ),
        (
            "a waiter that was woken in vain goes to the back",
            "waiter, enlist = CoroutineWaiter(waiters), waiters.appendleft",
            "waiter, enlist = CoroutineWaiter(waiters), waiters.append",
        ),
        ("a time-out is forgotten", "until is not None and loop.time() >= until", "False"),
    ],
    "DirectQueue.push": [
        (
            "an async push does not count",
            "map(memory._announce, memory._here, entering, memory._accepted)",
            "map(memory._announce, memory._here, entering)",
        ),
        (
            "an async push takes no permit",
            "map(memory._insert, memory._permits_now, (message,))",
            "map(memory._insert, (2**62,), (message,))",
        ),
        (
            "an async push waits",
            "map(memory._insert, memory._permits_now, (message,))",
            "map(memory._insert, memory._permits, (message,))",
        ),
        (
            "an async push does not wake a pull",
            """
            if memory.pullers:
                wake(memory.pullers)
            """,
            "",
        ),
        ("an async push keeps the None that closes", "memory._push_woken()", "memory._closed_error()"),
        (
            "an async push goes on when refused",
            "timeout is None and delay == 0.0 and ttl is None and headers is None and not memory._refusing",
            "timeout is None and delay == 0.0 and ttl is None and headers is None",
        ),
        (
            "an async push forgets the delay",
            "timeout is None and delay == 0.0 and ttl is None and headers is None and not memory._refusing",
            "timeout is None and ttl is None and headers is None and not memory._refusing",
        ),
        (
            "an async push forgets the TTL",
            "timeout is None and delay == 0.0 and ttl is None and headers is None and not memory._refusing",
            "timeout is None and delay == 0.0 and headers is None and not memory._refusing",
        ),
    ],
    "DirectDelivery.__await__": [
        ("a pull leases twice", "raise awaited_twice()", ""),
        (
            "an async pull in two steps",
            "message = next(map(memory._lease, (self,), memory._take_now))",
            """
            message = next(memory._take_now)
            memory._lease(self, message)
            """,
        ),
        (
            "an async pull gives when closed",
            """
            if memory._closed:
                raise memory._closed_error()
            """,
            "",
        ),
        ("an async pull keeps the empty deque that closes", "memory._pull_woken()", "memory._closed_error()"),
        ("an async pull gives what expired", "message.expires > now", "True"),
        ("an async pull does not expire", "memory._expire_leased(self, message)", ""),
    ],
    "DirectDelivery.ack": [
        (
            "an async ack does not count",
            "next(zip(map(memory._unlease, (self,)), memory._ack))",
            "memory._unlease(self)",
        ),
        (
            "an async ack counts first",
            "zip(map(memory._unlease, (self,)), memory._ack)",
            "zip(memory._ack, map(memory._unlease, (self,)))",
        ),
        (
            "an async ack does not wake who pushes",
            """
            if memory.pushers:
                wake(memory.pushers)
            """,
            "",
        ),
    ],
    "LatePull.__await__": [
        ("a pull with a time-out begins twice", "raise awaited_twice()", ""),
    ],
    "DirectDelivery.__aexit__": [
        ("a block that raised is acked", "error is None and self._held is None", "self._held is None"),
    ],
    "AsyncStoredQueue.push_many": [
        (
            "a coroutine waits under every policy",
            "self._options.overflow is Overflow.BLOCK and timeout != 0.0",
            "timeout != 0.0",
        ),
        (
            "the last try is not counted",
            "self.call(self._wrapped.enter, messages, taken, delay, last=True)",
            "self.call(self._wrapped.enter, messages, taken, delay)",
        ),
        (
            "an async batch does not say what was accepted",
            "naming_accepted(messages, taken)",
            "naming_accepted(messages, [])",
        ),
    ],
    "ThreadedStoredQueue._lease_for": [
        ("a cancelled pull is delivered to", "self._release(pulled)", ""),
    ],
    "ThreadedStoredQueue.lease": [
        ("what was handed over is kept", "job.add_done_callback(self._give_back)", ""),
    ],
    "ThreadedStoredQueue.ack_many": [
        (
            "an ack of another store's is forgotten",
            "[delivery.pulled if isinstance(delivery, ThreadedDelivery) else delivery for delivery in deliveries]",
            "[delivery.pulled for delivery in deliveries if isinstance(delivery, ThreadedDelivery)]",
        ),
    ],
    "ThreadedStoredQueue._settle": [
        (
            "an ack can be cancelled",
            "asyncio.shield(asyncio.wrap_future(self._executor.submit(function, *args, **kwargs)))",
            "asyncio.wrap_future(self._executor.submit(function, *args, **kwargs))",
        ),
    ],
    "ThreadedStoredQueue.extend": [
        ("an extended lease looks as before", "delivery.deadline = delivery.pulled.deadline", ""),
    ],
    "settle": [
        ("a cancelled block nacks", "isinstance(error, Exception)", "True"),
        ("a late nack of a block raises", "suppress(LeaseLost)", "suppress(ZeroDivisionError)"),
    ],
}
