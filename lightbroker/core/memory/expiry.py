"""What falls due in a queue in memory, and when: delayed messages, times to live, leases.

This is only an index. `Steps` alone says where a message is: an interrupt between a step and its entry here makes a
message late, never lost. `Failing` moves what is found here, with the queue's lock held.
"""

import heapq
from collections.abc import Callable, Generator, Iterator
from itertools import count, islice

from lightbroker.core.memory.steps import Steps
from lightbroker.core.message import NEVER, Leased, Message

_SCAN = 256  # leases that the first look of a scan covers


class Expiry:
    """The index, and the alarm that rings when the first entry is due. Times are seconds of the clock's monotonic time.

    ring: a bound method, called at that time. The alarm holds it weakly, so it keeps no queue alive.
    """

    __slots__ = ("_alarm", "_due", "_following", "_mortal", "_steps", "extended", "numbers")

    def __init__(self, steps: Steps, ring: Callable[[], None]) -> None:
        self._steps = steps
        self.numbers = count()  #: keys for delayed messages; it also keeps entries apart that are due at the same time
        self._due: list[tuple[float, int]] = []
        self._mortal: list[tuple[float, int, Message]] = []
        self.extended: set[Leased] = set()  #: leases that no longer end in the order in which leases began
        self._following = -NEVER  # before that time no lease expires
        self._alarm = steps.clock.alarm(ring)
        self._alarm.set(steps.now() + steps.options.lease)

    def cancel(self) -> None:
        """Let the alarm ring no more."""
        self._alarm.cancel()

    def delay(self, due: float, key: int) -> None:
        """Note that the delayed message `key` is due at `due`."""
        with self._steps.lock:
            heapq.heappush(self._due, (due, key))
            self._alarm.set(due)

    def watch(self, message: Message) -> None:
        """Note when the time to live of a READY message ends, if it has one."""
        if message.expires == NEVER:
            return
        with self._steps.lock:
            heapq.heappush(self._mortal, (message.expires, next(self.numbers), message))
            if len(self._mortal) > 2 * len(self._steps.ready) + 1000:  # mostly messages that were settled in time
                ready = self._steps.ready.copy()
                self._mortal = [(m.expires, next(self.numbers), m) for m in ready if m.expires < NEVER]
                heapq.heapify(self._mortal)
            self._alarm.set(message.expires)

    def rearm(self) -> None:
        """Set the alarm for whatever is due next."""
        due = self._due[0][0] if self._due else NEVER
        mortal = self._mortal[0][0] if self._mortal else NEVER
        self._alarm.set(min(due, mortal, self._following))

    def delays_over(self, now: float) -> Iterator[int]:
        """Yield the keys of delayed messages that are due; a key may have gone meanwhile."""
        if len(self._due) < len(self._steps.delayed):  # an interrupt kept an entry out of the index
            self._due = [(due, key) for key, (due, _) in self._steps.delayed.copy().items()]
            heapq.heapify(self._due)
        while self._due and self._due[0][0] <= now:
            yield heapq.heappop(self._due)[1]

    def lives_over(self, now: float) -> Iterator[Message]:
        """Yield the messages whose time to live has ended; one may no longer be READY."""
        while self._mortal and self._mortal[0][0] <= now:
            yield heapq.heappop(self._mortal)[2]

    def leases_over(self, now: float) -> Iterator[Leased]:
        """Yield the deliveries whose leases have expired; one may be settled meanwhile.

        Afterwards the next look is due when the first of the leases that are left expires. That time stays valid until
        then, because a lease that is granted later cannot expire earlier.
        """
        if self._following <= now:
            self._following = yield from self._scan(now)

    def _scan(self, now: float) -> Generator[Leased, None, float]:
        """Yield expired leases and return when the next one expires.

        Leases end in the order in which they began, so the scan stops at the first that has time left. Extended leases
        are the exception and are passed over. A lease without a deadline belongs to a pull that was interrupted:
        nobody holds its delivery, and it gets a deadline here.
        """
        leased, lease = self._steps.leased, self._steps.options.lease
        self.extended = {delivery for delivery in self.extended if delivery in leased}
        following = now + lease
        most = _SCAN + len(self.extended)
        while True:
            try:
                oldest = tuple(islice(leased.items(), most))
            except RuntimeError:  # without the GIL, the dict may change under the iterator
                return now
            for delivery, message in oldest:
                try:
                    deadline = delivery.deadline
                except AttributeError:
                    deadline = delivery.deadline = now + lease
                    delivery.message = message
                if deadline <= now:
                    yield delivery
                    continue
                following = min(following, deadline)
                if delivery not in self.extended:
                    return following
            if len(oldest) < most:
                return following
            most *= 2  # each look walks once more over the places of those that have gone
