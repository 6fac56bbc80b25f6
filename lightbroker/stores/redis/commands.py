"""What is asked of a queue in Redis and how the answers read. No I/O: threads and coroutines can drive the same."""

import json
import random
import secrets
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

from lightbroker.core import errors
from lightbroker.core.clock import Clock, SystemClock
from lightbroker.core.errors import InvariantError, LeaseLost, StoreError
from lightbroker.core.message import NEVER, DeadLetter, Delivery, Message, Settler
from lightbroker.core.policy import QueueOptions
from lightbroker.core.stats import QueueStats
from lightbroker.core.store import Excerpt
from lightbroker.stores.redis.records import (
    FAR,
    Lease,
    Reply,
    bound,
    digits,
    micros,
    pack,
    read_receipt,
    timestamp,
    unpack,
)
from lightbroker.stores.redis.scripts import QueueScripts, Request

SCHEMA_VERSION = 1
MOST = 1000  #: messages in one run of a script, which bounds how long the server is busy with it
_HEAVY = 8 * 1024 * 1024  # bytes of bodies in one run
_PAGE = 100  # dead letters that are fetched together


class QueueCommands:
    """Requests and replies of one queue for one process, whose name is `client`.

    Times are Redis's own, unless the clock is one that was made for the purpose.
    """

    def __init__(self, prefix: str, name: str, options: QueueOptions, clock: Clock, traced: bool, client: str) -> None:
        self._name, self._options, self._clock = name, options, clock
        self._server_time = type(clock) is SystemClock
        self._rng = random.Random(options.retry.seed)
        self.channel = f"{{{prefix}:{name}}}"  #: of news for all who wait
        self.own_channel = f"{self.channel}:{client}"  #: of calls for this process
        self._client = client
        self._scripts = QueueScripts(
            self.channel,
            {
                "me": client.encode(),
                "traced": b"1" if traced else b"",
                "capacity": bound(options.capacity),
                "dead_capacity": bound(options.dead_capacity),
                "policy": options.overflow.value.encode(),
                "lease": digits(micros(options.lease)),
            },
        )
        self._slots = f"{self.channel}:pushed:{client}:".encode()
        self._numbers = count(1)
        self._expired = self._error(errors.lease_expired(options.lease), "")

    def _request(self, name: str, *arguments: bytes, extra: tuple[bytes, ...] = ()) -> Request:
        now = b"" if self._server_time else digits(micros(self._clock.time()))
        return self._scripts.request(name, now, *arguments, extra=extra)

    @staticmethod
    def _error(error: str, trace: str) -> bytes:
        return json.dumps([error, trace]).encode()

    def open(self) -> Request:
        """Make the queue, or find it."""
        return self._request("open", digits(SCHEMA_VERSION), self._options.to_json().encode())

    def opened(self, reply: list[Any]) -> None:
        """Raise what speaks against using the queue: ValueError for other bounds, else StoreError."""
        if len(reply) == Reply.BODY:
            return
        kind, *details = (word.decode() for word in reply[Reply.BODY :])
        if kind == "bounds":
            mine = {"capacity": self._options.capacity, "dead_capacity": self._options.dead_capacity}
            its = (None if int(detail) == FAR else int(detail) for detail in details)
            differing = ", ".join(
                f"{name}={value!r} (Redis has {other!r})"
                for (name, value), other in zip(mine.items(), its)
                if value != other
            )
            raise ValueError(
                f"queue {self._name!r} is declared already, with other options: {differing}; to change them, stop "
                f"every program that uses it and change the hash {self.channel}"
            )
        if kind == "version":
            raise StoreError(
                f"queue {self._name!r} in Redis has schema version {details[0]}, this LightBroker reads "
                f"{SCHEMA_VERSION}; nothing was changed"
            )
        raise StoreError(
            f"the key {details[0]} in Redis is a {details[1]} of another program; nothing was changed; choose another "
            f"`?prefix=`"
        )

    # Pushing

    def push(self, messages: Sequence[Message], slot: int, delay: float, blocked: bytes) -> Request:
        """Push at most MOST messages, which share one TTL.

        slot: a number that no other push of this process uses until the reply is there; blocked: `refuse` if a full
        queue ends it, `wait` if the caller waits for room, `crowd` if others of this process do as well, or `no`.
        """
        end = messages[0].expires
        ttl = b"" if end == NEVER else digits(micros(max(0.0, end - self._clock.monotonic())))
        pairs = [word for message in messages for word in (message.id.encode(), pack(message))]
        return self._request(
            "push",
            *(digits(next(self._numbers)), digits(micros(delay)), ttl, blocked, *pairs),
            extra=(b"%b%d" % (self._slots, slot),),
        )

    @staticmethod
    def pushed(reply: list[Any]) -> list[bool]:
        """Which of the first messages were kept; there is no room for the others."""
        return [letter == b"1"[0] for letter in reply[Reply.BODY]]

    @staticmethod
    def portions(messages: Sequence[Message]) -> list[Sequence[Message]]:
        """Cut a batch into pieces for one run of a script each."""
        if len(messages) == 1:
            return [messages]
        cuts, size = [0], 0
        for position, message in enumerate(messages):
            size += len(message.body)
            if position - cuts[-1] >= MOST or (size > _HEAVY and position > cuts[-1]):
                cuts.append(position)
                size = len(message.body)
        return [messages[cut:end] for cut, end in zip(cuts, [*cuts[1:], len(messages)]) if cut < end]

    # Pulling and settling

    def pull(self, most: int, waits: bytes) -> Request:
        """Lease messages. waits: `no`, `wait` if the caller does when there is none, `crowd` if others do as well."""
        name = f"{next(self._numbers):012x}-{self._client}".encode()  # leases of one instant end in its order
        return self._request("pull", digits(min(most, FAR)), waits, name)

    @staticmethod
    def overdue(reply: list[Any]) -> list[bytes] | None:
        """The leases that have to be ended before something can be pulled; None if it was."""
        return reply[Reply.BODY + 1 :] if reply[Reply.BODY] == 0 else None

    @staticmethod
    def pulled(reply: list[Any], store: Settler, deadline: float) -> list[Delivery]:
        """The deliveries; `deadline` is theirs by the broker's clock."""
        until, _, *words = reply[Reply.BODY :]
        leases: list[Delivery] = []
        pairs = iter(words)
        for receipt, record in zip(pairs, pairs):
            lease = Lease()
            lease.key, lease.until, lease.store, lease.deadline = receipt, until, store, deadline
            lease.message = unpack(*read_receipt(receipt), record)
            leases.append(lease)
        return leases

    @staticmethod
    def more(reply: list[Any]) -> bool:
        """Whether a pull stopped only because it would have kept the server busy for too long."""
        return bool(reply[Reply.BODY + 1])

    def ack(self, leases: Sequence[Lease]) -> Request:
        """Ack at most MOST."""
        return self._request("ack", *(lease.key for lease in leases))

    @classmethod
    def late(cls, request: Request, reply: list[Any], leases: Sequence[Lease]) -> list[Lease]:
        """Those whose ack came too late."""
        now, *lost = reply[Reply.BODY :]
        return [leases[at - 1] for at in lost if not cls._settled_before(request, int(now), leases[at - 1])]

    def nack(self, lease: Lease, error: str, trace: str, delay: float | None) -> Request:
        """End a lease that holds."""
        wait = self._options.retry.wait_after(lease.message.attempts, delay, self._rng)
        return self._request("fail", b"nack", self._error(error, trace), lease.key, self._wait(wait))

    def end(self, receipts: Iterable[bytes]) -> Request:
        """End leases that ran out; their waits are drawn here, so that they repeat with the seed."""
        words = []
        for receipt in receipts:
            _, attempts = read_receipt(receipt)
            words += [receipt, self._wait(self._options.retry.wait_after(attempts, None, self._rng))]
        return self._request("fail", b"lease expired", self._expired, *words)

    @staticmethod
    def _wait(seconds: float | None) -> bytes:
        return b"-1" if seconds is None else digits(micros(seconds))

    def release(self, lease: Lease) -> Request:
        """Give a message back."""
        return self._request("release", lease.key)

    def reject(self, lease: Lease, reason: str) -> Request:
        """Bury a message."""
        return self._request("reject", lease.key, self._error(reason, ""))

    def extend(self, lease: Lease, seconds: float) -> Request:
        """Keep a lease for `seconds` from now."""
        return self._request("extend", lease.key, digits(micros(seconds)))

    def settled(self, request: Request, reply: list[Any], lease: Lease) -> int:
        """What the reply says of a lease that held; raises LeaseLost if it did not."""
        now, held = map(int, reply[Reply.BODY :])
        if not held and not self._settled_before(request, now, lease):
            raise self.lost(lease)
        return held

    @staticmethod
    def _settled_before(request: Request, now: int, lease: Lease) -> bool:
        # Until the lease runs out nobody else can end it: if it is gone, it was this request, whose reply was lost.
        return request.again and lease.until > now

    def lost(self, delivery: Delivery) -> LeaseLost:
        """The error for a lease that is over."""
        return errors.lost(self._name, self._options.lease, delivery.receipt)

    # The dead and the counts

    def redrive(self, most: int, ids: Sequence[str] | None) -> Request:
        """Make dead letters READY, at most MOST of them."""
        chosen = (b"",) if ids is None else (b"1", *(id.encode(errors="replace") for id in ids))
        return self._request("redrive", digits(min(most, MOST)), *chosen)

    def purge(self) -> Request:
        """Delete dead letters, at most MOST of them."""
        return self._request("purge", digits(MOST))

    def oldest_dead(self, after: bytes, most: int, shown: int) -> Request:
        """Some of the dead letters, those that died after the turn `after`, with `shown` bytes of each body."""
        return self._request("dead", after, digits(min(most, _PAGE)), digits(shown))

    def newest_dead(self, most: int, shown: int) -> Request:
        """The dead letters that died last, the last first, with `shown` bytes of each body."""
        return self._request("dead", b"", digits(most), digits(shown))

    def oldest(self) -> Request:
        """The message that has been READY longest."""
        return self._request("oldest")

    @staticmethod
    def read_oldest(reply: list[Any]) -> float | None:
        """When it was accepted; None if none is READY."""
        return timestamp(reply[Reply.BODY]) if len(reply) > Reply.BODY else None

    def read_dead_letters(self, reply: list[Any]) -> tuple[list[Excerpt], bytes]:
        """The letters, and the turn of the last, b"" if there are no more."""
        letters, last = [], b""
        words = iter(reply[Reply.BODY :])
        for turn, id, record, failure, size in zip(words, words, words, words, words):
            first_at, last_at, attempts, reason, error = failure.split(b" ", 4)
            message = unpack(id, int(attempts), record)
            text, trace = json.loads(error)
            times = int(first_at) / 1e6, int(last_at) / 1e6
            letters.append(Excerpt(DeadLetter(message, self._name, reason.decode(), text, trace, *times), size))
            last = turn
        return letters, last if len(letters) == _PAGE else b""

    def stats(self) -> Request:
        """Count."""
        return self._request("stats")

    def read_stats(self, reply: list[Any]) -> QueueStats:
        """The counts as the contract names them."""
        _, _, ready, delayed, leased, dead, turns, moves, *counts = reply[Reply.BODY :]
        return QueueStats(ready, delayed, leased, dead, self._options.capacity, turns - moves, *counts)

    def check(self, reply: list[Any]) -> None:
        """Raise InvariantError if the law does not hold, or the counts do not fit the messages."""
        stats = self.read_stats(reply)
        stats.check(self._name)
        records, failures = reply[Reply.BODY : Reply.BODY + 2]
        if records != stats.held + stats.dead or failures > records:
            raise InvariantError(f"queue {self._name!r} keeps {records} messages, {failures} failures, and has {stats}")

    def tick(self) -> Request:
        """Move on what fell due."""
        return self._request("tick")


def client_name() -> str:
    """A name for this process that no other has."""
    return secrets.token_hex(6)
