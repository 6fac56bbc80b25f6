"""`help(lightbroker.aio)` is a tour of the API: a public class has no members that are not for its users."""

import pytest

import lightbroker.aio
from lightbroker.aio import AsyncBroker
from lightbroker.core.message import Message

PUBLIC = {
    "AsyncBroker": "bind check close dlq publish pull push queue stats subscribe threads trace workers",
    "AsyncDeadLetterQueue": "count purge redrive",
    "AsyncDelivery": "ack extend nack reject release",
    "AsyncPull": "",
    "AsyncQueue": "ack_many pull pull_many push push_many stats",
    "AsyncSubscription": "close dropped get stats",
    "AsyncWorkerPool": "start stop",
}
ATTRIBUTES = {
    "AsyncBroker": "",
    "AsyncDeadLetterQueue": "",
    "DirectQueue": "dead_letters name options",
    "AsyncSubscription": "group pattern",
    "AsyncWorkerPool": "stopped",
}


def public(thing: object) -> set[str]:
    return {name for name in vars(thing) if not name.startswith("_")}


@pytest.mark.parametrize("name", lightbroker.aio.__all__)
def test_a_public_class_has_public_members_only(name: str) -> None:
    assert public(getattr(lightbroker.aio, name)) == set(PUBLIC[name].split())


async def test_an_object_has_the_public_attributes_that_its_docstring_names() -> None:
    async def handle(message: Message) -> None: ...

    async with AsyncBroker() as broker:
        queue = await broker.queue("q")
        for thing in (broker, queue, queue.dead_letters, broker.subscribe("t"), broker.workers("q", handle)):
            assert public(thing) == set(ATTRIBUTES[type(thing).__name__].split())
