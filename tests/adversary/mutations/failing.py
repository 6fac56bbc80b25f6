"""Mutations of what ends a lease or a dead letter: release, extend, retry, burial, redrive, purge."""

from tests.adversary.mutations.patching import Table

PATCHES: Table = {
    "SlowPaths.close": [
        ("a closed queue keeps its alarm", "self._alarm.cancel()", ""),
    ],
    "SlowPaths.release": [
        (
            "release counts the attempt",
            "delivery.message",
            "delivery.message.with_attempts(delivery.message.attempts + 1, None)",
        ),
    ],
    "SlowPaths.extend": [
        (
            "extend without the lock",
            """
            with self._lock:
                if delivery not in self._leased:
                    raise self._lost(delivery)
                self._extended.add(delivery)
                delivery.deadline = max(delivery.deadline, self._now() + seconds)
            """,
            """
            if True:
                if delivery not in self._leased:
                    raise self._lost(delivery)
                self._extended.add(delivery)
                delivery.deadline = max(delivery.deadline, self._now() + seconds)
            """,
        ),
        ("extend shortens", "max(delivery.deadline, self._now() + seconds)", "self._now() + seconds"),
        ("extend is not passed over", "self._extended.add(delivery)", ""),
        (
            "a late extend is taken",
            """
            if delivery not in self._leased:
                raise self._lost(delivery)
            """,
            "",
        ),
    ],
    "SlowPaths.redrive": [
        (
            "redrive takes no permit",
            "zip(permit, leave, self._appending(message), self._signal, self._redriven)",
            "zip(leave, self._appending(message), self._signal, self._redriven)",
        ),
        (
            "redrive leaves before it has a permit",
            "zip(permit, leave, self._appending(message), self._signal, self._redriven)",
            "zip(leave, permit, self._appending(message), self._signal, self._redriven)",
        ),
        (
            "redrive does not announce",
            "zip(permit, leave, self._appending(message), self._signal, self._redriven)",
            "zip(permit, leave, self._appending(message), self._redriven)",
        ),
        (
            "redrive keeps the dead letter",
            "zip(permit, leave, self._appending(message), self._signal, self._redriven)",
            "zip(permit, self._appending(message), self._signal, self._redriven)",
        ),
        (
            "redrive in two steps: leave, enter",
            "next(zip(permit, leave, self._appending(message), self._signal, self._redriven))",
            """
            next(zip(permit, leave))
            next(zip(self._appending(message), self._signal, self._redriven))
            """,
        ),
        (
            "redrive does not look whether it is refused",
            """
            if self._refusing:
                raise self._closed_error()
            """,
            "",
        ),
        ("redrive rouses nobody", "rouse(self._pullers)", ""),
        (
            "redrive keeps the attempts",
            "self._dead[id].message.with_attempts(1, None)",
            "self._dead[id].message.with_attempts(self._dead[id].message.attempts, None)",
        ),
        ("redrive keeps the TTL", "message.expires = NEVER", ""),
    ],
    "SlowPaths.purge": [
        ("purge does not count", "next(zip(map(self._dead.pop, (id,)), self._purged))", "(self._dead.pop(id), None)"),
    ],
    "SlowPaths._fail": [
        (
            "a retry keeps the attempt",
            "self._failed(message, error, trace, message.attempts + 1)",
            "self._failed(message, error, trace, message.attempts)",
        ),
        ("a retry is not counted", "next(self._retried)", ""),
    ],
    "SlowPaths._give_back": [
        (
            "a retry stays leased",
            "zip(self._leaving(delivery), self._appending(message), self._signal)",
            "zip(self._appending(message), self._signal)",
        ),
        (
            "a retry enters before it leaves",
            "zip(self._leaving(delivery), self._appending(message), self._signal)",
            "zip(self._appending(message), self._leaving(delivery), self._signal)",
        ),
        (
            "a retry is not announced",
            "zip(self._leaving(delivery), self._appending(message), self._signal)",
            "zip(self._leaving(delivery), self._appending(message))",
        ),
        (
            "a retry in two steps: leave, enter",
            "next(zip(self._leaving(delivery), self._appending(message), self._signal))",
            """
            self._unlease(delivery)
            next(zip(self._appending(message), self._signal))
            """,
        ),
        ("a retry rouses nobody", "rouse(self._pullers)", ""),
        ("a retry's TTL is not watched", "self._watch(message)", ""),
    ],
    "SlowPaths._bury": [
        ("a dead letter keeps its permit", 'self._give if source != "NEW" else repeat(None)', "repeat(None)"),
        ("an overflow letter gives a permit", 'self._give if source != "NEW" else repeat(None)', "self._give"),
        ("a dead letter rouses nobody", "rouse(self._pushers)", ""),
        ("dead letters have no bound", "bound is not None and len(self._dead) > bound", "False"),
        (
            "a dead letter is dropped uncounted",
            "next(zip(map(self._dead.pop, (next(iter(self._dead)),)), self._dropped))",
            "(self._dead.pop(next(iter(self._dead))), None)",
        ),
    ],
    "retry_wait": [
        ("one attempt too many", "attempts >= retry.max_attempts", "attempts > retry.max_attempts"),
        ("a delay of 0 becomes a backoff", "delay is None", "not delay"),
    ],
}
