"""Patches to the slow paths: failing, waiting, expiring, dying."""

_REDRIVE = "next(zip(permit, leave, self._appending(message), self._signal, self._redriven))"
_GIVE_BACK = "next(zip(self._leaving(delivery), self._appending(message), self._signal))"
_WAKE = "next(zip(map(self._delayed.pop, (key,)), self._appending(message), self._signal))"
_DEFER = "next(zip(before, map(self._delayed.setdefault, (key,), ((due, message),))))"
_LOCKED_EXTEND = (
    "with self._lock:  # expiry takes the lock too, so a lease found here does not run out before it is moved"
)

PATCHES: dict[str, list[tuple[str, str, str]]] = {
    "core/memory/slow.py": [
        ("no alarm for the first lease", "        self._alarm.set(self._now() + options.lease)\n", ""),
        ("a closed queue keeps its alarm", "        self._alarm.cancel()\n", ""),
        (
            "release counts the attempt",
            "self._give_back(delivery, delivery.message, 0.0, ",
            "self._give_back(delivery, delivery.message.with_attempts(delivery.message.attempts + 1, None), 0.0, ",
        ),
        ("extend without the lock", _LOCKED_EXTEND, "if True:"),
        ("extend shortens", "max(delivery.deadline, self._now() + seconds)", "self._now() + seconds"),
        ("extend is not passed over", "            self._extended.add(delivery)\n", ""),
        (
            "a late extend is taken",
            "            if delivery not in self._leased:\n                raise self._lost(delivery)\n",
            "",
        ),
        ("redrive takes no permit", _REDRIVE, _REDRIVE.replace("permit, ", "")),
        ("redrive leaves before it has a permit", _REDRIVE, _REDRIVE.replace("permit, leave", "leave, permit")),
        ("redrive does not announce", _REDRIVE, _REDRIVE.replace("self._signal, ", "")),
        ("redrive keeps the dead letter", _REDRIVE, _REDRIVE.replace("leave, ", "")),
        (
            "redrive in two steps: leave, enter",
            _REDRIVE,
            "next(zip(permit, leave))\n                    " + _REDRIVE.replace("permit, leave, ", ""),
        ),
        (
            "redrive does not look whether it is refused",
            "                if self._refusing:\n                    raise self._closed_error()\n",
            "",
        ),
        (
            "redrive rouses nobody",
            "                    rouse(self._pullers)\n                except",
            "                except",
        ),
        (
            "redrive keeps the attempts",
            "self._dead[id].message.with_attempts(1, None)",
            "self._dead[id].message.with_attempts(self._dead[id].message.attempts, None)",
        ),
        ("redrive keeps the TTL", "                message.expires = NEVER  # whoever redrives wants it done\n", ""),
        ("purge does not count", "next(zip(map(self._dead.pop, (id,)), self._purged))", "(self._dead.pop(id), None)"),
        (
            "a retry keeps the attempt",
            "self._failed(message, error, trace, message.attempts + 1)",
            "self._failed(message, error, trace, message.attempts)",
        ),
        ("a retry is not counted", "            next(self._retried)\n", ""),
        ("a retry stays leased", _GIVE_BACK, _GIVE_BACK.replace("self._leaving(delivery), ", "")),
        (
            "a retry enters before it leaves",
            _GIVE_BACK,
            "next(zip(self._appending(message), self._leaving(delivery), self._signal))",
        ),
        ("a retry is not announced", _GIVE_BACK, _GIVE_BACK.replace(", self._signal", "")),
        (
            "a retry in two steps: leave, enter",
            _GIVE_BACK,
            "self._unlease(delivery)\n            next(zip(self._appending(message), self._signal))",
        ),
        (
            "a retry rouses nobody",
            "            rouse(self._pullers)\n            self._watch(message)\n        self._tell",
            "            self._watch(message)\n        self._tell",
        ),
        (
            "a retry's TTL is not watched",
            "            rouse(self._pullers)\n            self._watch(message)\n        self._tell",
            "            rouse(self._pullers)\n        self._tell",
        ),
        ("a dead letter keeps its permit", 'self._give if source != "NEW" else repeat(None)', "repeat(None)"),
        ("an overflow letter gives a permit", 'self._give if source != "NEW" else repeat(None)', "self._give"),
        (
            "a dead letter rouses nobody",
            '        rouse(self._pushers)\n        self._tell(at, message, source, "DEAD"',
            '        self._tell(at, message, source, "DEAD"',
        ),
        ("dead letters have no bound", "while bound is not None and len(self._dead) > bound:", "while False:"),
        (
            "a dead letter is dropped uncounted",
            "next(zip(map(self._dead.pop, (next(iter(self._dead)),)), self._dropped))",
            "(self._dead.pop(next(iter(self._dead))), None)",
        ),
        (
            "a delay begins before the step",
            _DEFER,
            "next(zip(map(self._delayed.setdefault, (key,), ((due, message),)), before))",
        ),
        ("a delay in two steps", _DEFER, "next(before)\n        self._delayed[key] = due, message"),
        ("a delay sets no alarm", "            self._alarm.set(due)\n", ""),
        ("a TTL sets no alarm", "            self._alarm.set(message.expires)\n", ""),
        ("tidying forgets what is ready", "for m in self._ready.copy() if m.expires < NEVER]", "for m in ()]"),
        (
            "an alarm is not set again",
            "self._alarm.set(min(self._wake(now), self._expire_ready(now), self._expire_leases(now)))",
            "min(self._wake(now), self._expire_ready(now), self._expire_leases(now))",
        ),
        (
            "leases end before messages wake",
            "min(self._wake(now), self._expire_ready(now), self._expire_leases(now))",
            "min(self._expire_leases(now), self._wake(now))",
        ),
        ("what an interrupt kept out is not found", "if len(self._due) < len(self._delayed):", "if False:"),
        ("what is due wakes late", "self._due[0][0] <= now:", "self._due[0][0] < now:"),
        ("waking leaves a copy", _WAKE, "next(zip(self._appending(message), self._signal))"),
        ("waking is not announced", _WAKE, _WAKE.replace(", self._signal", "")),
        (
            "waking rouses nobody",
            '                rouse(self._pullers)\n                self._tell(now, message, "DELAYED"',
            '                self._tell(now, message, "DELAYED"',
        ),
        (
            "waking does not watch the TTL",
            '"READY", "due")\n                self._watch(message)\n',
            '"READY", "due")\n',
        ),
        ("expiry takes no token", "self._tokens.get_nowait()  # the right", "pass  # the right"),
        (
            "expiry keeps another's token",
            "                next(self._signal)\n        return self._mortal",
            "                pass\n        return self._mortal",
        ),
        (
            "a pull that stalled too long fails",
            "with self._lock, suppress(KeyError):  # the pull",
            "with self._lock:  # the pull",
        ),
        ("expiry keeps the permit", "next(zip(leaving, self._expire))", "next(zip(leaving, self._expired))"),
        ("expiry counts first", "next(zip(leaving, self._expire))", "next(zip(self._expire, leaving))"),
        (
            "expiry rouses nobody",
            '            rouse(self._pushers)\n            self._tell(self._now(), message, source, "expired"',
            '            self._tell(self._now(), message, source, "expired"',
        ),
        (
            "expiry destroys evidence",
            "        if message.failure is None:\n            next",
            "        if True:\n            next",
        ),
        (
            "a letter counts a delivery that was not",
            "message.with_attempts(message.attempts - 1, message.failure)",
            "message",
        ),
        (
            "a lease interrupted in the making never ends",
            "deadline = delivery.deadline = now + self._options.lease",
            "continue",
        ),
        ("a lease interrupted in the making has no message", "                    delivery.message = message\n", ""),
        (
            "a lease lasts an instant longer",
            "                if deadline > now:",
            "                if deadline >= now:",
        ),
        (
            "an extended lease ends the scan",
            "                    if delivery in self._extended:\n                        continue\n",
            "",
        ),
        (
            "the scan does not end",
            "                        continue\n                    return following",
            "                        continue\n                    continue",
        ),
        ("expiry fails if an ack is faster", "with suppress(KeyError):  # settled", "with suppress():  # settled"),
        (
            "one scan is all",
            "            if len(oldest) < most:\n                return following",
            "            return following",
        ),
        (
            "the next look for leases comes too late",
            "self._expiry = self._end_leases(now)",
            "self._expiry = self._end_leases(now) + self._options.lease",
        ),
        ("extended leases fill the scan", "most = _SCAN + len(self._extended)", "most = 1"),
    ],
    "core/outcome.py": [
        ("one attempt too many", "if attempts >= retry.max_attempts:", "if attempts > retry.max_attempts:"),
        ("a delay of 0 becomes a backoff", "if delay is None else delay", "if not delay else delay"),
    ],
}
