"""Mutations of what ends a lease or a dead letter: release, extend, retry, burial, redrive, purge."""

from tests.adversary.mutations.patching import Table

PATCHES: Table = {
    "Failing.close": [
        ("a closed queue keeps its alarm", "self._expiry.cancel()", ""),
    ],
    "Failing.release": [
        (
            "release counts the attempt",
            "delivery.message",
            "delivery.message.with_attempts(delivery.message.attempts + 1, None)",
        ),
    ],
    "Failing.extend": [
        (
            "extend without the lock",
            """
            with steps.lock:
                if delivery not in steps.leased:
                    raise self.lost(delivery)
                self._expiry.extended.add(delivery)
                delivery.deadline = max(delivery.deadline, steps.now() + seconds)
            """,
            """
            if True:
                if delivery not in steps.leased:
                    raise self.lost(delivery)
                self._expiry.extended.add(delivery)
                delivery.deadline = max(delivery.deadline, steps.now() + seconds)
            """,
        ),
        ("extend shortens", "max(delivery.deadline, steps.now() + seconds)", "steps.now() + seconds"),
        ("extend is not passed over", "self._expiry.extended.add(delivery)", ""),
        (
            "a late extend is taken",
            """
            if delivery not in steps.leased:
                raise self.lost(delivery)
            """,
            "",
        ),
    ],
    "Failing.redrive": [
        (
            "redrive takes no permit",
            "zip(permit, leave, steps.appending(message), steps.signal, steps.redriven)",
            "zip(leave, steps.appending(message), steps.signal, steps.redriven)",
        ),
        (
            "redrive leaves before it has a permit",
            "zip(permit, leave, steps.appending(message), steps.signal, steps.redriven)",
            "zip(leave, permit, steps.appending(message), steps.signal, steps.redriven)",
        ),
        (
            "redrive does not announce",
            "zip(permit, leave, steps.appending(message), steps.signal, steps.redriven)",
            "zip(permit, leave, steps.appending(message), steps.redriven)",
        ),
        (
            "redrive keeps the dead letter",
            "zip(permit, leave, steps.appending(message), steps.signal, steps.redriven)",
            "zip(permit, steps.appending(message), steps.signal, steps.redriven)",
        ),
        (
            "redrive in two steps: leave, enter",
            "next(zip(permit, leave, steps.appending(message), steps.signal, steps.redriven))",
            """
            next(zip(permit, leave))
            next(zip(steps.appending(message), steps.signal, steps.redriven))
            """,
        ),
        (
            "redrive does not look whether it is refused",
            """
            if self._refusing:
                raise errors.closed(steps.name, draining=not self._closed)
            """,
            "",
        ),
        ("redrive rouses nobody", "wake(steps.pullers)", ""),
        (
            "redrive keeps the attempts",
            "steps.dead[id].message.with_attempts(1, None)",
            "steps.dead[id].message.with_attempts(steps.dead[id].message.attempts, None)",
        ),
        ("redrive keeps the TTL", "message.expires = NEVER", ""),
    ],
    "Failing.purge": [
        ("purge does not count", "next(zip(map(steps.dead.pop, (id,)), steps.purged))", "(steps.dead.pop(id), None)"),
    ],
    "Failing._fail": [
        (
            "a retry keeps the attempt",
            "self._failed(message, error, trace, message.attempts + 1)",
            "self._failed(message, error, trace, message.attempts)",
        ),
        ("a retry is not counted", "next(self._steps.retried)", ""),
    ],
    "Failing._give_back": [
        (
            "a retry stays leased",
            "zip(steps.leaving(delivery), steps.appending(message), steps.signal)",
            "zip(steps.appending(message), steps.signal)",
        ),
        (
            "a retry enters before it leaves",
            "zip(steps.leaving(delivery), steps.appending(message), steps.signal)",
            "zip(steps.appending(message), steps.leaving(delivery), steps.signal)",
        ),
        (
            "a retry is not announced",
            "zip(steps.leaving(delivery), steps.appending(message), steps.signal)",
            "zip(steps.leaving(delivery), steps.appending(message))",
        ),
        (
            "a retry in two steps: leave, enter",
            "next(zip(steps.leaving(delivery), steps.appending(message), steps.signal))",
            """
            steps.unlease(delivery)
            next(zip(steps.appending(message), steps.signal))
            """,
        ),
        ("a retry rouses nobody", "wake(steps.pullers)", ""),
        ("a retry's TTL is not watched", "self._expiry.watch(message)", ""),
    ],
    "Failing.bury": [
        ("a dead letter keeps its permit", 'steps.give if source != "NEW" else repeat(None)', "repeat(None)"),
        ("an overflow letter gives a permit", 'steps.give if source != "NEW" else repeat(None)', "steps.give"),
        ("a dead letter rouses nobody", "wake(steps.pushers)", ""),
        ("dead letters have no bound", "bound is not None and len(steps.dead) > bound", "False"),
        (
            "a dead letter is dropped uncounted",
            "next(zip(map(steps.dead.pop, (next(iter(steps.dead)),)), steps.dropped))",
            "(steps.dead.pop(next(iter(steps.dead))), None)",
        ),
    ],
    "Retry.wait_after": [
        ("one attempt too many", "attempt >= self.max_attempts", "attempt > self.max_attempts"),
        ("a delay of 0 becomes a backoff", "delay is None", "not delay"),
    ],
}
