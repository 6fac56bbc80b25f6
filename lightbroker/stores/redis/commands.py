"""What is asked of a queue in Redis and how the answers read. Nothing here does I/O."""

import json
import random
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
    BODY,
    INFINITY,
    RedisDelivery,
    digits,
    limit,
    micros,
    pack,
    read_receipt,
    read_timestamp,
    unpack,
)
from lightbroker.stores.redis.scripts import QueueScripts, ScriptCall

SCHEMA_VERSION = 1
MOST = 1000  #: messages in one call of a script, which bounds how long the server is busy with it
_HEAVY = 8 * 1024 * 1024  # bytes of bodies in one call
_PAGE = 100  # dead letters that are fetched together


class QueueCommands:
    """Calls of scripts and their replies, of one queue for one process.

    Times are those of the server, unless another clock than the system's is injected.

    Args:
        client: The name of the process.
    """

    def __init__(self, prefix: str, name: str, options: QueueOptions, clock: Clock, traced: bool, client: str) -> None:
        self._name, self._options, self._clock = name, options, clock
        self._server_time = type(clock) is SystemClock
        self._rng = random.Random(options.retry.seed)
        self.channel = f"{{{prefix}:{name}}}"  #: where every process that waits is told what happens
        self.own_channel = f"{self.channel}:{client}"  #: where this process is told that its threads should try again
        self._client = client
        self._scripts = QueueScripts(
            self.channel,
            {
                "client": client.encode(),
                "traced": b"1" if traced else b"",
                "capacity": limit(options.capacity),
                "dead_capacity": limit(options.dead_capacity),
                "policy": options.overflow.value.encode(),
                "lease": digits(micros(options.lease)),
            },
        )
        self._pushed = f"{self.channel}:pushed:{client}:".encode()
        self._numbers = count(1)
        self._expired = self._error(errors.lease_expired(options.lease), "")

    def _call(self, name: str, *arguments: bytes, more_keys: tuple[bytes, ...] = ()) -> ScriptCall:
        now = b"" if self._server_time else digits(micros(self._clock.time()))
        return self._scripts.call(name, now, *arguments, more_keys=more_keys)

    @staticmethod
    def _error(error: str, trace: str) -> bytes:
        return json.dumps([error, trace]).encode()

    def open(self) -> ScriptCall:
        """Make the queue, or find it."""
        return self._call("open", digits(SCHEMA_VERSION), self._options.to_json().encode())

    def check_opened(self, reply: list[Any]) -> None:
        """Raise what speaks against using the queue: ValueError for other bounds, else StoreError."""
        if len(reply) == BODY:
            return
        kind, *details = (word.decode() for word in reply[BODY:])
        if kind == "bounds":
            mine = {"capacity": self._options.capacity, "dead_capacity": self._options.dead_capacity}
            its = (None if int(detail) == INFINITY else int(detail) for detail in details)
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

    def push(self, messages: Sequence[Message], producer: int, delay: float, blocked: bytes) -> ScriptCall:
        """Push at most MOST messages, which share one TTL.

        Args:
            messages: What to push.
            producer: A number that no other push of this process uses until the reply is there. By it and the number
                of the push Redis recognizes a push that is sent again.
            delay: Seconds until the messages are READY.
            blocked: What becomes of the caller if there is no room, see `lua/push.lua`.
        """
        end = messages[0].expires
        ttl = b"" if end == NEVER else digits(micros(max(0.0, end - self._clock.monotonic())))
        pairs = [word for message in messages for word in (message.id.encode(), pack(message))]
        return self._call(
            "push",
            *(digits(next(self._numbers)), digits(micros(delay)), ttl, blocked, *pairs),
            more_keys=(b"%b%d" % (self._pushed, producer),),
        )

    @staticmethod
    def read_pushed(reply: list[Any]) -> list[bool]:
        """Return which of the first messages were kept; there is no room for the others."""
        return [letter == b"1"[0] for letter in reply[BODY]]

    @staticmethod
    def portions(messages: Sequence[Message]) -> list[Sequence[Message]]:
        """Cut a batch into pieces for one call of a script each."""
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

    def pull(self, most: int, waits: bytes) -> ScriptCall:
        """Lease messages; `waits` says what becomes of a caller for whom there is none, see `lua/pull.lua`."""
        name = f"{next(self._numbers):012x}-{self._client}".encode()  # leases that end together end in this order
        return self._call("pull", digits(min(most, INFINITY)), waits, name)

    @staticmethod
    def read_expired(reply: list[Any]) -> list[bytes] | None:
        """Return the leases that have to be ended before something can be pulled; None if something was pulled."""
        return reply[BODY + 1 :] if reply[BODY] == 0 else None

    @staticmethod
    def read_pulled(reply: list[Any], store: Settler, deadline: float) -> list[Delivery]:
        """Return the deliveries; `deadline` is theirs by the broker's clock."""
        until, _, *words = reply[BODY:]
        deliveries: list[Delivery] = []
        pairs = iter(words)
        for receipt, record in zip(pairs, pairs):
            delivery = RedisDelivery()
            delivery.key, delivery.until, delivery.stored, delivery.deadline = receipt, until, store, deadline
            delivery.message = unpack(*read_receipt(receipt), record)
            deliveries.append(delivery)
        return deliveries

    @staticmethod
    def has_more(reply: list[Any]) -> bool:
        """Return whether a pull stopped only because it would have kept the server busy for too long."""
        return bool(reply[BODY + 1])

    def ack(self, deliveries: Sequence[RedisDelivery]) -> ScriptCall:
        """Ack at most MOST."""
        return self._call("ack", *(delivery.key for delivery in deliveries))

    @classmethod
    def read_lost(cls, call: ScriptCall, reply: list[Any], deliveries: Sequence[RedisDelivery]) -> list[RedisDelivery]:
        """Return those whose ack came too late."""
        now, *lost = reply[BODY:]
        return [deliveries[at - 1] for at in lost if not cls._settled_before(call, int(now), deliveries[at - 1])]

    def nack(self, delivery: RedisDelivery, error: str, trace: str, delay: float | None) -> ScriptCall:
        """End a lease that holds: the message is retried, or DEAD after its last attempt."""
        wait = self._options.retry.wait_after(delivery.message.attempts, delay, self._rng)
        return self._call("fail", b"nack", self._error(error, trace), delivery.key, self._wait(wait))

    def expire(self, receipts: Iterable[bytes]) -> ScriptCall:
        """End leases that expired: the messages are retried, or DEAD after their last attempt.

        The waits until the retries are drawn here and not in Redis, so that they repeat with the seed.
        """
        words = []
        for receipt in receipts:
            _, attempts = read_receipt(receipt)
            words += [receipt, self._wait(self._options.retry.wait_after(attempts, None, self._rng))]
        return self._call("fail", b"lease expired", self._expired, *words)

    @staticmethod
    def _wait(seconds: float | None) -> bytes:
        return b"-1" if seconds is None else digits(micros(seconds))

    def release(self, delivery: RedisDelivery) -> ScriptCall:
        """Give a message back."""
        return self._call("release", delivery.key)

    def reject(self, delivery: RedisDelivery, reason: str) -> ScriptCall:
        """Make a message DEAD."""
        return self._call("reject", delivery.key, self._error(reason, ""))

    def extend(self, delivery: RedisDelivery, seconds: float) -> ScriptCall:
        """Keep a lease for `seconds` from now."""
        return self._call("extend", delivery.key, digits(micros(seconds)))

    def read_settled(self, call: ScriptCall, reply: list[Any], delivery: RedisDelivery) -> int:
        """Return what the reply says of a lease that held; raise LeaseLost if it did not."""
        now, held = map(int, reply[BODY:])
        if not held and not self._settled_before(call, now, delivery):
            raise self.lost(delivery)
        return held

    @staticmethod
    def _settled_before(call: ScriptCall, now: int, delivery: RedisDelivery) -> bool:
        # Nobody else can end a lease before it expires. If it is gone, this call ended it, and its reply was lost.
        return call.again and delivery.until > now

    def lost(self, delivery: Delivery) -> LeaseLost:
        """Return the error for a lease that is over."""
        return errors.lost(self._name, self._options.lease, delivery.receipt)

    # The dead and the counts

    def redrive(self, most: int, ids: Sequence[str] | None) -> ScriptCall:
        """Make dead letters READY, at most MOST of them."""
        chosen = (b"",) if ids is None else (b"1", *(id.encode(errors="replace") for id in ids))
        return self._call("redrive", digits(min(most, MOST)), *chosen)

    def purge(self) -> ScriptCall:
        """Delete dead letters, at most MOST of them."""
        return self._call("purge", digits(MOST))

    def oldest_dead(self, after: bytes, most: int, shown: int) -> ScriptCall:
        """Read some of the dead letters, those that died after the turn `after`, with `shown` bytes of each body."""
        return self._call("dead", after, digits(min(most, _PAGE)), digits(shown))

    def newest_dead(self, most: int, shown: int) -> ScriptCall:
        """Read the dead letters that died last, the last first, with `shown` bytes of each body."""
        return self._call("dead", b"", digits(most), digits(shown))

    def read_dead_letters(self, reply: list[Any]) -> tuple[list[Excerpt], bytes]:
        """Return the letters, and the turn of the last, b"" if there are no more."""
        letters, last = [], b""
        words = iter(reply[BODY:])
        for turn, id, record, failure, size in zip(words, words, words, words, words):
            first_at, last_at, attempts, reason, error = failure.split(b" ", 4)
            message = unpack(id, int(attempts), record)
            text, trace = json.loads(error)
            times = int(first_at) / 1e6, int(last_at) / 1e6
            letters.append(Excerpt(DeadLetter(message, self._name, reason.decode(), text, trace, *times), size))
            last = turn
        return letters, last if len(letters) == _PAGE else b""

    def oldest(self) -> ScriptCall:
        """Read when the message that has been READY longest was accepted."""
        return self._call("oldest_ready")

    @staticmethod
    def read_oldest(reply: list[Any]) -> float | None:
        """Return when that was; None if none is READY."""
        return read_timestamp(reply[BODY]) if len(reply) > BODY else None

    def stats(self) -> ScriptCall:
        """Count."""
        return self._call("stats")

    def read_stats(self, reply: list[Any]) -> QueueStats:
        """Return the counts as the contract names them."""
        _, _, ready, delayed, leased, dead, turns, moves, *counts = reply[BODY:]
        return QueueStats(ready, delayed, leased, dead, self._options.capacity, turns - moves, *counts)

    def check(self, reply: list[Any]) -> None:
        """Raise InvariantError if the law does not hold, or the counts do not fit the messages."""
        stats = self.read_stats(reply)
        stats.check(self._name)
        records, failures = reply[BODY : BODY + 2]
        if records != stats.held + stats.dead or failures > records:
            raise InvariantError(f"queue {self._name!r} keeps {records} messages, {failures} failures, and has {stats}")

    def tick(self) -> ScriptCall:
        """Move on what fell due."""
        return self._call("tick")
