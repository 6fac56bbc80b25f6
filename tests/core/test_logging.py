"""Logging: records carry the queue, the message and the attempt as fields, and go nowhere unless the program says."""

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lightbroker import Broker, Message, Queue, Retry, StoreError
from tests.support import wait_until

Open = Callable[..., Queue]


def fields(record: logging.LogRecord) -> dict[str, object]:
    return {name: getattr(record, name) for name in ("queue", "message_id", "attempt") if hasattr(record, name)}


def test_a_handlers_failures_name_queue_message_and_attempt_and_the_last_is_a_warning(
    broker: Broker, open_queue: Open, caplog: pytest.LogCaptureFixture
) -> None:
    queue = open_queue(retry=Retry(max_attempts=2, base=0.0))

    def fail(message: Message) -> None:
        raise ValueError("bad block")

    id = queue.push("poison")
    with caplog.at_level(logging.INFO, "lightbroker"), broker.workers("q", fail, workers=1):
        wait_until(lambda: queue.stats().dead == 1)
    first, last = caplog.records
    assert (first.name, first.levelname) == ("lightbroker.core.worker", "INFO")
    assert fields(first) == {"queue": "q", "message_id": id, "attempt": 1}
    assert first.getMessage() == (
        f"queue q: message {id}, attempt 1 failed: ValueError('bad block'); it will be tried again"
    )
    assert last.levelname == "WARNING"
    assert fields(last) == {"queue": "q", "message_id": id, "attempt": 2}
    assert last.getMessage().endswith("; that was the last")


def test_a_lost_lease_names_queue_message_and_attempt(
    broker: Broker, open_queue: Open, caplog: pytest.LogCaptureFixture
) -> None:
    queue = open_queue()
    pull = queue.pull

    def pull_and_lose(timeout: float | None = None) -> object:
        delivery = pull(timeout)
        delivery.release()
        return delivery

    id = queue.push("a")
    queue.pull = pull_and_lose  # type: ignore[method-assign, assignment]
    with broker.workers("q", lambda message: None, workers=1):
        wait_until(lambda: bool(caplog.records))
    assert fields(caplog.records[0]) == {"queue": "q", "message_id": id, "attempt": 1}


def test_closing_names_the_queue_that_messages_are_left_in(
    broker: Broker, open_queue: Open, caplog: pytest.LogCaptureFixture
) -> None:
    open_queue().push("a")
    broker.close()
    [record] = caplog.records
    assert (record.name, fields(record)) == ("lightbroker.core.broker", {"queue": "q"})


def test_what_a_store_could_not_do_in_time_names_the_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Broker(f"sqlite:///{tmp_path}/q.db") as broker:
        store = broker.queue("q").stored

        def fail(work: object) -> None:
            raise StoreError("the disk is full")

        monkeypatch.setattr(store._file, "run", fail)  # type: ignore[attr-defined]
        store._catch_up()  # type: ignore[attr-defined]
        monkeypatch.undo()
    [record] = caplog.records
    assert (record.name, fields(record)) == ("lightbroker.stores.sqlite.queue", {"queue": "q"})
    assert "the disk is full" in caplog.text


def test_the_library_installs_no_handler_and_writes_nothing_unless_told() -> None:
    program = (
        "import logging, lightbroker; b = lightbroker.Broker(); b.push('q', 'a'); b.close();"
        "print(logging.getLogger().handlers, logging.getLogger('lightbroker').handlers)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout == "[] [<NullHandler (NOTSET)>]\n"
    assert run.stderr == ""
