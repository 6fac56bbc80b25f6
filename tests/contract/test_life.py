"""The life of a message that meets no trouble, and the counts that go with it."""

import random
from collections.abc import Callable

import pytest

from lightbroker import Broker, LeaseLost, ManualClock, Overflow, Queue, QueueEmpty, QueueFull, Retry
from tests.support import Call, counts, drain

Open = Callable[..., Queue]


def test_a_message_is_ready_then_leased_then_acked(open_queue: Open) -> None:
    queue = open_queue()
    queue.push(b"a")
    assert counts(queue) == {"ready": 1, "accepted": 1}
    delivery = queue.pull(timeout=0)
    assert counts(queue) == {"leased": 1, "accepted": 1}
    delivery.ack()
    assert counts(queue) == {"acked": 1, "accepted": 1}


def test_a_pulled_message_is_what_was_pushed(open_queue: Open, clock: ManualClock) -> None:
    queue = open_queue(lease=30.0)
    clock.advance(2.5)
    id = queue.push(b"\x00\xff", headers={"kind": "block"})
    clock.advance(1.0)
    delivery = queue.pull(timeout=0)
    message = delivery.message
    assert (message.id, message.body, message.timestamp, message.attempts) == (id, b"\x00\xff", 1002.5, 1)
    assert dict(message.headers) == {"kind": "block"}
    assert delivery.deadline == 1003.5 + 30.0


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"", b""),
        (bytes(range(256)), bytes(range(256))),
        ("", b""),
        ("Übergröße 😀 \x00", "Übergröße 😀 \x00".encode()),
        ({"große": [1, 2.5, None, True, "ß"]}, '{"große": [1, 2.5, null, true, "ß"]}'.encode()),
        ([], b"[]"),
        (None, b"null"),
        (2**256, str(2**256).encode()),
        (b"x" * (1024 * 1024), b"x" * (1024 * 1024)),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_bytes_stay_strings_become_utf8_and_the_rest_json(open_queue: Open, body: object, kept: bytes) -> None:
    queue = open_queue()
    queue.push(body)
    queue.push_many([body])
    assert [queue.pull(timeout=0).message.body for _ in range(2)] == [kept, kept]


def test_headers_keep_any_text(open_queue: Open) -> None:
    headers = {"ключ": "значение", "": "", "a\nb": "\x00\r\n", "😀": "x" * 4000}
    queue = open_queue()
    queue.push(b"", headers=headers)
    queue.pull(timeout=0).nack(delay=0)
    assert dict(queue.pull(timeout=0).message.headers) == headers


def test_a_queue_name_may_be_any_printable_text(broker: Broker) -> None:
    for name in ("очередь", "a:b{c}'\";--%*/?", "n" * 255, "😀"):
        broker.push(name, name)
    for name in ("очередь", "a:b{c}'\";--%*/?", "n" * 255, "😀"):
        assert broker.pull(name, timeout=0).message.text == name


def test_ids_are_unique_across_queues_and_brokers(make_broker: Callable[..., Broker]) -> None:
    brokers = make_broker(), make_broker()
    ids = [broker.push(name, b"") for broker in brokers for name in ("q", "r") for _ in range(10)]
    ids += brokers[0].queue("q").push_many([b""] * 10)
    assert len(set(ids)) == 50


def test_messages_come_in_the_order_in_which_they_were_pushed(open_queue: Open) -> None:
    queue = open_queue()
    for number in range(5):
        queue.push(str(number))
    queue.push_many(["5", "6"])
    queue.push("7")
    assert drain(queue) == list("01234567")


@pytest.mark.parametrize("timeout", [0, 0.0, 0.01])
def test_an_empty_queue_says_so_after_the_timeout(open_queue: Open, timeout: float) -> None:
    queue = open_queue()
    for pull in (queue.pull, lambda timeout: queue.pull_many(3, timeout)):
        with pytest.raises(QueueEmpty, match="'q'"):
            pull(timeout)
    assert counts(queue) == {}


@pytest.mark.parametrize("timeout", [None, 60.0, 1e300])
def test_a_waiting_pull_gets_the_next_message(open_queue: Open, timeout: float | None) -> None:
    queue = open_queue()
    pull = Call(queue.pull, timeout)
    assert pull.blocks()
    id = queue.push(b"")
    assert pull.result().message.id == id


def test_a_message_goes_to_one_of_those_who_wait(open_queue: Open) -> None:
    queue = open_queue()
    pulls = [Call(queue.pull, None) for _ in range(3)]
    ids = {queue.push(b"") for _ in range(3)}
    assert {pull.result().message.id for pull in pulls} == ids
    assert counts(queue) == {"leased": 3, "accepted": 3}


def test_queues_do_not_see_each_other(broker: Broker) -> None:
    broker.push("a", b"for a")
    with pytest.raises(QueueEmpty):
        broker.pull("b", timeout=0)
    assert counts(broker.queue("b")) == {}


def test_a_message_is_acked_on_leaving_its_block(open_queue: Open) -> None:
    queue = open_queue()
    queue.push("a")
    with queue.pull(timeout=0) as message:
        assert message.text == "a"
    assert counts(queue) == {"acked": 1, "accepted": 1}


def test_an_exception_in_the_block_nacks_and_goes_on(open_queue: Open) -> None:
    queue = open_queue()
    queue.push("a")
    with pytest.raises(ZeroDivisionError), queue.pull(timeout=0):
        raise ZeroDivisionError
    assert counts(queue) == {"ready": 1, "accepted": 1, "retried": 1}
    assert queue.pull(timeout=0).message.attempts == 2


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_interruption_of_the_block_releases(open_queue: Open, interruption: type[BaseException]) -> None:
    queue = open_queue()
    queue.push("a")
    with pytest.raises(interruption), queue.pull(timeout=0):
        raise interruption
    assert counts(queue) == {"ready": 1, "accepted": 1}
    assert queue.pull(timeout=0).message.attempts == 1


def test_a_message_settled_inside_its_block_loses_the_lease_at_the_end(open_queue: Open) -> None:
    queue = open_queue()
    queue.push("a")
    delivery = queue.pull(timeout=0)
    with pytest.raises(LeaseLost), delivery:
        delivery.ack()
    assert counts(queue) == {"acked": 1, "accepted": 1}


def test_an_error_behind_an_early_ack_is_the_one_that_is_raised(open_queue: Open) -> None:
    queue = open_queue()
    queue.push("a")
    delivery = queue.pull(timeout=0)
    with pytest.raises(ZeroDivisionError), delivery:
        delivery.ack()
        raise ZeroDivisionError
    assert counts(queue) == {"acked": 1, "accepted": 1}


@pytest.mark.parametrize("seed", range(3))
def test_the_law_holds_after_every_step_of_a_random_walk(
    open_queue: Open, broker: Broker, clock: ManualClock, seed: int
) -> None:
    rng = random.Random(seed)
    queue = open_queue(
        capacity=8,
        overflow=rng.choice(list(Overflow)),
        lease=5.0,
        ttl=20.0,
        dead_capacity=4,
        retry=Retry(max_attempts=3, base=1.0, seed=seed),
    )
    held = []

    def pull() -> None:
        held.append(queue.pull(timeout=0))

    def settle() -> None:
        delivery = held.pop(rng.randrange(len(held)))
        rng.choice([delivery.ack, delivery.nack, delivery.release, lambda: delivery.reject("no")])()

    steps = [
        *[lambda: queue.push("a", timeout=0), pull, settle] * 4,
        lambda: queue.push("b", timeout=0, delay=rng.choice([0.5, 3.0])),
        lambda: queue.push("c", timeout=0, ttl=1.0),
        lambda: queue.push_many(["d"] * 3, timeout=0),
        lambda: held.extend(queue.pull_many(3, 0)),
        lambda: held[0].extend(7.0),
        lambda: clock.advance(rng.choice([0.5, 2.0, 6.0])),
        lambda: queue.dead_letters.redrive(limit=2),
        queue.dead_letters.purge,
    ]
    for _ in range(400):
        clock.advance(0.0)  # what was released too old leaves now, and not in a pull that then finds nothing
        before = queue.stats()
        try:
            rng.choice(steps)()
        except (LeaseLost, QueueEmpty, IndexError, ValueError):
            assert queue.stats() == before
        except QueueFull:
            pass
        broker.check()
    now = queue.stats()
    assert all((now.acked, now.retried, now.redriven, now.expired)), f"the walk missed something: {now}"
