"""The books of a run: every delivery that consumers saw, and what must be true of them. No threads here.

After the total-queue checker of Jepsen (Kyle Kingsbury): what was pushed has to come out, and nothing else. This one
also knows why a message may come out again, so it counts deliveries exactly instead of allowing for duplicates.
"""

import enum
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

SEQUENCE_BITS = 40  # a message's number is its producer's number, then its place in what that producer pushed


class Outcome(enum.IntEnum):
    """How a delivery ended for the consumer."""

    ACKED = 0
    MAYBE_ACKED = 1  #: of a batch in which some acks came too late
    NACKED = 2
    RELEASED = 3
    REJECTED = 4
    CRASHED = 5  #: abandoned: its lease ran out
    HUNG = 6  #: held beyond its lease on purpose: the ack was refused
    LOST = 7  #: the consumer was too slow by accident: the settling call was refused


FAILED = (Outcome.NACKED, Outcome.CRASHED, Outcome.HUNG, Outcome.LOST)
WORKED = (Outcome.ACKED, Outcome.CRASHED, Outcome.HUNG)  # the consumer had done the work


class Record(NamedTuple):
    """One delivery. `begin` and `end` are ticks of one counter, before the pull was called and after it returned."""

    number: int
    attempts: int
    begin: int
    end: int
    outcome: int


class Books:
    """Violations found, each kind counted and the first few told; and what happened how often."""

    def __init__(self, max_attempts: int) -> None:
        self.max_attempts = max_attempts
        self.violations: Counter[str] = Counter()
        self.told: list[str] = []
        self.outcomes: Counter[str] = Counter()
        self.most_deliveries = 0
        self.deliveries = 0
        self.worked_twice = 0  #: messages whose work was done more than once, because a lease ran out

    def complain(self, kind: str, text: str) -> None:
        """Note a violation."""
        self.violations[kind] += 1
        if self.violations[kind] <= 3:
            self.told.append(f"{kind}: {text}")

    def account(self, pushed: Iterable[int], records: Sequence[Record], dead: Iterable[int]) -> None:
        """Check one epoch that began and ended with an empty queue; `dead` are the messages that were purged."""
        self.deliveries += len(records)
        self.outcomes.update(Outcome(outcome).name for outcome in Counter(r.outcome for r in records).elements())
        by_number: dict[int, list[Record]] = defaultdict(list)
        for record in records:
            by_number[record.number].append(record)
        buried, expected = Counter(dead), set(pushed)
        for number in (*(by_number.keys() - expected), *(buried.keys() - expected)):
            self.complain("unexpected", f"message {number:x} was never pushed")
        for number in expected:
            deliveries = by_number.get(number, [])
            once = len(deliveries) == 1 and deliveries[0].outcome == Outcome.ACKED and deliveries[0].attempts == 1
            if not once or number in buried:
                self._account_for(number, deliveries, buried[number])
        self._check_order(by_number)

    def _account_for(self, number: int, deliveries: list[Record], dead: int) -> None:
        """Each delivery but the first follows from a failure, a release or a redrive, with the attempt due to it."""
        outcomes = Counter((record.outcome, record.attempts) for record in _settled(deliveries, dead))
        acked = sum(count for (outcome, _), count in outcomes.items() if outcome == Outcome.ACKED)
        if acked + dead == 0:
            self.complain("lost", f"message {number:x} was neither acked nor buried: {deliveries}")
        elif acked + dead > 1:
            self.complain("duplicate", f"message {number:x} was settled {acked + dead} times: {deliveries}")
        failed, seen = Counter[int](), Counter[int]()
        for (outcome, attempts), count in outcomes.items():
            failed[attempts] += count if outcome in FAILED else 0
            seen[attempts] += count if outcome != Outcome.RELEASED else 0
        rejected = sum(count for (outcome, _), count in outcomes.items() if outcome == Outcome.REJECTED)
        redriven = rejected + failed[self.max_attempts] - dead
        due = {1: 1 + redriven} | {attempt + 1: failed[attempt] for attempt in range(1, self.max_attempts)}
        if any(seen[attempt] != due.get(attempt, 0) for attempt in {*seen, *due}):
            self.complain("attempts", f"message {number:x}: due {due}, delivered {dict(seen)}: {deliveries}")
        self.most_deliveries = max(self.most_deliveries, len(deliveries))
        self.worked_twice += sum(record.outcome in WORKED for record in deliveries) > 1

    def _check_order(self, by_number: dict[int, list[Record]]) -> None:
        """A message whose pull had returned before another's pull began was pushed before it by the same producer.

        Redriven messages are left out: they begin again at the back with attempts = 1.
        """
        firsts: dict[int, list[Record]] = defaultdict(list)
        for number, records in by_number.items():
            again = any(r.outcome == Outcome.REJECTED or r.attempts >= self.max_attempts for r in records)
            first = [record for record in records if record.attempts == 1]
            if first and not again:
                firsts[number >> SEQUENCE_BITS].append(min(first, key=lambda record: record.end))
        for records in firsts.values():
            returned = iter(sorted(records, key=lambda record: record.end))
            upcoming = next(returned)
            latest = -1
            for record in sorted(records, key=lambda record: record.begin):
                while upcoming.end < record.begin:  # it ends: the record itself returns after it begins
                    latest = max(latest, upcoming.number)
                    upcoming = next(returned)
                if latest > record.number:
                    self.complain("order", f"message {record.number:x} first came after {latest:x}")


def _settled(deliveries: list[Record], dead: int) -> list[Record]:
    """Decide about what may have been acked: the last one was, if nothing else settled the message."""
    maybe = [record for record in deliveries if record.outcome == Outcome.MAYBE_ACKED]
    if not maybe:
        return deliveries
    settled = dead or any(record.outcome == Outcome.ACKED for record in deliveries)
    last = None if settled else max(maybe, key=lambda record: record.end)
    return [
        record if record not in maybe else record._replace(outcome=Outcome.ACKED if record is last else Outcome.LOST)
        for record in deliveries
    ]
