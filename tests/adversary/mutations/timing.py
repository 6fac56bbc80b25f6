"""Mutations of what time does: delays, TTLs and leases that end, waiting with a time-out, the clocks."""

from tests.adversary.mutations.patching import Table

PATCHES: Table = {
    "Expiry.__init__": [
        ("no alarm for the first lease", "self._alarm.set(steps.now() + steps.options.lease)", ""),
    ],
    "Failing.delay": [
        (
            "a delay begins before the step",
            "zip(before, map(self._steps.delayed.setdefault, (key,), ((due, message),)))",
            "zip(map(self._steps.delayed.setdefault, (key,), ((due, message),)), before)",
        ),
        (
            "a delay in two steps",
            "next(zip(before, map(self._steps.delayed.setdefault, (key,), ((due, message),))))",
            """
            next(before)
            self._steps.delayed[key] = due, message
            """,
        ),
    ],
    "Expiry.delay": [
        ("a delay sets no alarm", "self._alarm.set(due)", ""),
    ],
    "Expiry.watch": [
        ("a TTL sets no alarm", "self._alarm.set(message.expires)", ""),
        (
            "tidying forgets what is ready",
            "[(m.expires, next(self.numbers), m) for m in ready if m.expires < NEVER]",
            "[(m.expires, next(self.numbers), m) for m in ()]",
        ),
    ],
    "Expiry.rearm": [
        ("an alarm is not set again", "self._alarm.set(min(due, mortal, self._following))", ""),
    ],
    "Failing._catch_up": [
        (
            "leases end before messages wake",
            """
            self._end_delays(now)
            self._end_lives(now)
            self._end_leases(now)
            """,
            """
            self._end_leases(now)
            self._end_delays(now)
            """,
        ),
    ],
    "Expiry.delays_over": [
        ("what an interrupt kept out is not found", "len(self._due) < len(self._steps.delayed)", "False"),
        ("what is due wakes late", "self._due[0][0] <= now", "self._due[0][0] < now"),
    ],
    "Failing._end_delays": [
        (
            "waking leaves a copy",
            "zip(map(steps.delayed.pop, (key,)), steps.appending(message), steps.signal)",
            "zip(steps.appending(message), steps.signal)",
        ),
        (
            "waking is not announced",
            "zip(map(steps.delayed.pop, (key,)), steps.appending(message), steps.signal)",
            "zip(map(steps.delayed.pop, (key,)), steps.appending(message))",
        ),
        ("waking rouses nobody", "wake(steps.pullers)", ""),
        ("waking does not watch the TTL", "self._expiry.watch(message)", ""),
    ],
    "Failing._end_lives": [
        ("expiry takes no token", "steps.tokens.get_nowait()", ""),
        ("expiry keeps another's token", "next(steps.signal)", ""),
    ],
    "Failing.expire_leased": [
        (
            "a pull that stalled too long fails",
            """
            with self._steps.lock, suppress(KeyError):
                self._end_life(self._steps.leaving(delivery), message)
            """,
            """
            with self._steps.lock:
                self._end_life(self._steps.leaving(delivery), message)
            """,
        ),
    ],
    "Failing._end_life": [
        ("expiry keeps the permit", "zip(leaving, self._steps.leave_expired)", "zip(leaving, self._steps.expired)"),
        ("expiry counts first", "zip(leaving, self._steps.leave_expired)", "zip(self._steps.leave_expired, leaving)"),
        ("expiry rouses nobody", "wake(self._steps.pushers)", ""),
        ("expiry destroys evidence", "message.failure is None", "True"),
        (
            "a letter counts a delivery that was not",
            "message.with_attempts(message.attempts - 1, message.failure)",
            "message",
        ),
    ],
    "Failing._end_leases": [
        ("expiry fails if an ack is faster", "suppress(KeyError)", "suppress()"),
    ],
    "Expiry._scan": [
        (
            "a lease interrupted in the making never ends",
            "deadline = delivery.deadline = now + lease",
            "continue",
        ),
        ("a lease interrupted in the making has no message", "delivery.message = message", ""),
        ("a lease lasts an instant longer", "deadline <= now", "deadline < now"),
        ("an extended lease ends the scan", "delivery not in self.extended", "True"),
        ("the scan does not end", "delivery not in self.extended", "False"),
        (
            "one scan is all",
            """
            if len(oldest) < most:
                return following
            """,
            "return following",
        ),
        ("extended leases fill the scan", "most = _SCAN + len(self.extended)", "most = 1"),
    ],
    "Expiry.leases_over": [
        (
            "the next look for leases comes too late",
            "self._following = yield from self._scan(now)",
            "self._following = (yield from self._scan(now)) + self._steps.options.lease",
        ),
    ],
    "attempt": [
        ("who waits is not on the list", "waiters.append(lock)", ""),
        (
            "who waits is on the list too late",
            """
            waiters.append(lock)
            try:
                return step()
            except Empty:
                wait = until - time.monotonic()
                if wait <= 0.0:
                    raise
            """,
            """
            try:
                return step()
            except Empty:
                waiters.append(lock)
                wait = until - time.monotonic()
                if wait <= 0.0:
                    raise
            """,
        ),
        ("who leaves stays on the list", "waiters.remove(lock)", ""),
        (
            "who was sent in vain sends nobody on",
            """
            if leaving:
                wake(waiters)
            """,
            "",
        ),
        (
            "who waits gives up too early",
            "lock.acquire(timeout=min(wait, threading.TIMEOUT_MAX))",
            """
            lock.acquire(timeout=min(wait, threading.TIMEOUT_MAX) / 2)
            until = 0.0
            """,
        ),
    ],
    "wake": [
        ("only one is roused", "repeat(waiters, most)", "repeat(waiters, 1)"),
    ],
    "_RingingAgenda._ring": [
        ("an alarm that fails is the last", "Exception", "LookupError"),
        ("a clock that stopped does not start again", "self._thread = None", ""),
        ("a replaced clock goes on", "self._thread is threading.current_thread()", "True"),
    ],
    "_Agenda.add": [
        ("an earlier alarm wakes nobody", "self.changed.notify_all()", ""),
        ("an alarm moves later", "when < alarm.when", "True"),
        (
            "an interrupted alarm is never set again",
            """
            heapq.heappush(self._heap, (when, next(self._sequence), alarm))
            alarm.when = when
            """,
            """
            alarm.when = when
            heapq.heappush(self._heap, (when, next(self._sequence), alarm))
            """,
        ),
    ],
    "_RingingAgenda.add": [
        ("an interrupt leaves the agenda locked", "self.lock", "self.changed"),
        (
            "a clock that died does not start again",
            "self._thread is None or not self._thread.is_alive()",
            "self._thread is None",
        ),
    ],
    "_Agenda.next_time": [
        ("what was moved rings twice", "self._heap and self._heap[0][2].when != self._heap[0][0]", "False"),
    ],
    "_Agenda.take": [
        ("what rang is not set again", "alarm.when = _NEVER", ""),
    ],
    "_Agenda.discard": [
        (
            "what was cancelled rings",
            """
            alarm.when = _NEVER
            self._heap = sorted(entry for entry in self._heap if entry[2] is not alarm)
            """,
            "",
        ),
    ],
    "ManualClock.advance": [
        ("alarms see a time that is too late", "max(self._now, when)", "max(self._now, target)"),
        ("alarms see a time that is too early", "self._now = max(self._now, when)", ""),
        ("sums of floats fall short", "max(1e-9, 2 * math.ulp(target))", "0.0"),
    ],
}
