"""What is SQLite's own: the URL, the file and its troubles, reopening, several brokers on one file, shared commits."""

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise, repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from lightbroker import Broker, DeadLetter, Delivery, ManualClock, Message, Overflow, Queue, Retry, StoreError
from lightbroker.core.registry import open_store
from lightbroker.stores.sqlite import connection as sqlite_connection
from lightbroker.stores.sqlite.file import _READ, _WRITE, SqliteFile, _Job
from lightbroker.stores.sqlite.queue import SqliteQueue
from lightbroker.stores.sqlite.schema import SCHEMA_VERSION
from lightbroker.stores.sqlite.store import SqliteStore
from tests.support import Call, counts, drain

Make = Callable[..., Broker]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store_url(path: Path) -> str:
    return f"sqlite:///{path}"


def _queue(broker: Broker, **options: Any) -> Queue:
    return broker.queue("q", **{"retry": Retry(base=0.0), **options})


def _edit(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


# The URL


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("sqlite:///x.db?sync=full", "unknown option sync"),
        ("sqlite:///x.db?synchronous=off", "synchronous must be normal or full, not 'off'"),
        ("sqlite:///x.db?synchronous=", "synchronous must be"),
        ("sqlite://x.db", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite:///a#b.db", "names no file"),
        ("sqlite:///:memory:", "memory://"),
    ],
)
def test_a_url_that_makes_no_sense_is_refused(
    url: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=complaint):
        Broker(url)
    assert list(tmp_path.iterdir()) == []


def test_three_slashes_lead_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Broker("sqlite:///a%20name.db") as broker:
        broker.push("q", b"")
        assert (tmp_path / "a name.db").exists()


# The file


def test_a_file_of_another_program_is_left_as_it_is(path: Path, store_url: str) -> None:
    _edit(path, "CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        Broker(store_url)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_left_as_it_is(path: Path, store_url: str) -> None:
    path.write_text("to do: buy milk\n" * 100)
    with pytest.raises(StoreError, match="not an SQLite file"):
        Broker(store_url)
    assert path.read_text() == "to do: buy milk\n" * 100


def test_a_file_that_is_not_there_is_made_only_if_asked_for(path: Path, store_url: str) -> None:
    with pytest.raises(StoreError, match=r"store\.db does not exist, and was not made"):
        open_store(store_url, create=False)
    assert not path.exists()
    Broker(store_url).close()
    open_store(store_url, create=False).close()


def test_an_empty_file_becomes_a_store(path: Path, make_broker: Make) -> None:
    path.touch()
    make_broker().push("q", b"")


def test_a_file_of_a_later_version_is_left_as_it_is(path: Path, make_broker: Make, store_url: str) -> None:
    make_broker().close()
    _edit(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(
        StoreError, match=f"schema version {SCHEMA_VERSION + 1}, this LightBroker reads {SCHEMA_VERSION}"
    ):
        Broker(store_url)


def test_a_damaged_file_is_called_damaged(path: Path, store_url: str) -> None:
    with Broker(store_url) as broker:
        broker.queue("q").push_many([bytes(500)] * 100)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"), Broker(store_url) as broker:
        broker.pull("q", timeout=0)


def test_a_missing_folder_is_named(path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere/x\.db: it cannot be opened; its directory must exist"):
        Broker(f"sqlite:///{path.parent}/nowhere/x.db")


@contextmanager
def _ordinary_user() -> Iterator[None]:
    """Drop what lets root write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="needs the users of Unix")
@pytest.mark.parametrize("folder_mode", [0o555, 0o777])
def test_a_file_that_cannot_be_written_is_called_read_only(folder_mode: int) -> None:
    with TemporaryDirectory() as folder:  # pytest's own folders are closed to other users
        path = Path(folder, "store.db")
        with Broker(f"sqlite:///{path}") as broker:
            broker.queue("q")
        path.chmod(0o444)
        path.parent.chmod(folder_mode)
        with _ordinary_user(), pytest.raises(StoreError, match=r"cannot be (written|opened)"):
            Broker(f"sqlite:///{path}")
        path.parent.chmod(0o755)


def test_a_full_file_refuses_a_push_and_takes_it_when_there_is_room(make_broker: Make) -> None:
    queue = _queue(make_broker(), capacity=None)
    queue.stored._file.execute("PRAGMA max_page_count = 30")  # type: ignore[attr-defined]
    with pytest.raises(StoreError, match="there is no room for more"):
        deque(map(queue.push, repeat(bytes(5000))))
    before = counts(queue)
    with pytest.raises(StoreError, match="there is no room for more"):
        queue.push_many([bytes(5000)] * 3)
    assert counts(queue) == before
    for _ in range(before["ready"]):
        queue.pull(timeout=0).ack()
    queue.push(bytes(5000))


def test_the_room_of_what_was_settled_is_used_again(path: Path, make_broker: Make) -> None:
    queue = _queue(make_broker())
    sizes = []
    for _ in range(5):
        for _ in range(20):
            queue.push_many([bytes(300), bytes(5000)])
            deliveries = queue.pull_many(2)
            deliveries[0].nack("once more")
            queue.ack_many([deliveries[1], queue.pull(0)])
        pages = queue.stored._file.execute("PRAGMA page_count").fetchone()[0]  # type: ignore[attr-defined]
        sizes.append(pages)
    assert sizes[0] == sizes[-1]


def test_a_transaction_on_a_short_queue_writes_one_page(path: Path, make_broker: Make) -> None:
    """The counts too: a second page would make each commit longer by half."""
    queue = _queue(make_broker())
    queue.push("one")
    log = path.with_name(path.name + "-wal")
    page = queue.stored._file.execute("PRAGMA page_size").fetchone()[0]  # type: ignore[attr-defined]
    sizes = [log.stat().st_size]
    for step in (lambda: queue.push("two"), lambda: queue.pull(0), lambda: queue.pull(0).ack()):
        step()
        sizes.append(log.stat().st_size)
    frame = 24 + page
    assert [after - before for before, after in pairwise(sizes)] == [frame, frame, 2 * frame]


@pytest.mark.parametrize("size", [0, 768, 769, 100_000])
def test_a_body_of_any_length_keeps_its_bytes(make_broker: Make, size: int) -> None:
    queue = _queue(make_broker(), retry=Retry(max_attempts=2, base=0.0))
    body = os.urandom(size)
    queue.push(body, headers={"zero": "\0"})
    queue.pull(timeout=0).nack("\udc80")
    message = queue.pull(timeout=0)
    assert (message.message.body, dict(message.message.headers)) == (body, {"zero": "\0"})
    message.nack("\udc80")
    (letter,) = queue.dead_letters
    assert (letter.message.body, letter.error) == (body, "\\udc80")
    assert queue.dead_letters.purge() == 1
    make_broker().check()


# Reopening


def test_what_was_left_is_there_again(make_broker: Make) -> None:
    broker = make_broker()
    queue = _queue(broker, retry=Retry(max_attempts=1))
    queue.push_many(["dead", "acked", "ready"])
    queue.push("later", delay=5.0)
    queue.pull(timeout=0).nack("bad")
    queue.pull(timeout=0).ack()
    letters, before = list(queue.dead_letters), counts(queue)
    broker.close()
    again = _queue(make_broker(), retry=Retry(max_attempts=1))
    assert counts(again) == before == {"ready": 1, "delayed": 1, "dead": 1, "acked": 1, "accepted": 4}
    assert [_plain(letter) for letter in again.dead_letters] == [_plain(letter) for letter in letters]
    assert again.pull(timeout=0).message.text == "ready"


def _plain(letter: DeadLetter) -> tuple[object, ...]:
    message = letter.message
    return message.id, message.body, message.attempts, message.timestamp, replace(letter, message=None)


def test_a_lease_outlives_its_broker_and_runs_out(store_url: str, make_broker: Make, clock: ManualClock) -> None:
    with Broker(store_url, clock=clock) as broker:
        queue = _queue(broker, lease=30.0)
        queue.push("work")
        queue.pull(timeout=0).release()
        assert queue.pull(timeout=0).message.attempts == 1
    queue = _queue(make_broker(), lease=30.0)
    clock.advance(29.999)
    assert counts(queue) == {"leased": 1, "accepted": 1}
    clock.advance(0.001)
    assert queue.pull(timeout=0).message.attempts == 2


def test_a_lease_that_ran_out_while_nobody_was_there_has_run_out(store_url: str) -> None:
    with Broker(store_url, clock=ManualClock(1000.0)) as broker:
        queue = _queue(broker, lease=30.0)
        queue.push_many(["leased", "mortal"], ttl=20.0)
        queue.pull(timeout=0)
        queue.push("later", delay=10.0)
    with Broker(store_url, clock=ManualClock(5000.0)) as broker:
        queue = _queue(broker)
        assert counts(queue) == {"ready": 1, "dead": 1, "expired": 1, "retried": 1, "accepted": 3}
        assert queue.pull(timeout=0).message.text == "later"


def test_counts_are_those_of_the_file_again_after_work_that_failed(make_broker: Make) -> None:
    queue = _queue(make_broker())
    queue.push("kept")
    store: Any = queue.stored

    def fail_after_entering() -> None:
        store._transitions.enter([Message("id", b"", 0.0)], 0.0, True)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store._file.run(fail_after_entering)
    store.check()
    queue.push("kept as well")
    store.check()
    assert counts(queue) == {"ready": 2, "accepted": 2}


# Several brokers on one file


def test_processes_may_make_the_file_at_the_same_time(tmp_path: Path) -> None:
    program = "import sys; sys.stdin.readline(); from lightbroker import Broker; Broker(sys.argv[1]).push('q', b'')"
    for attempt in range(5):
        url = f"sqlite:///{tmp_path / str(attempt)}.db"
        command = sys.executable, "-W", "ignore", "-c", program, url
        processes = [subprocess.Popen(command, stdin=subprocess.PIPE, text=True) for _ in range(4)]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.close()
        assert [process.wait(20) for process in processes] == [0] * 4
        with Broker(url) as broker:
            assert broker.queue("q").stats().accepted == 4


def test_the_bounds_of_a_queue_are_those_of_the_file(make_broker: Make) -> None:
    make_broker().queue("q", capacity=5, dead_capacity=None)
    with pytest.raises(ValueError, match=r"capacity=6 \(the file has 5\), dead_capacity=10000 \(the file has None\)"):
        make_broker().queue("q", capacity=6)
    make_broker().queue("q", capacity=5, dead_capacity=None, lease=1.0, overflow=Overflow.REJECT)


@pytest.mark.parametrize("bound", ["capacity", "dead_capacity"])
def test_a_bound_that_the_file_cannot_hold_is_refused_by_its_name(make_broker: Make, bound: str) -> None:
    broker = make_broker()
    with pytest.raises(ValueError, match=f"^{bound} must be at most 9223372036854775807 in an SQLite file, or None"):
        broker.queue("q", **{bound: 2**63})
    queue = broker.queue("q", **{bound: 2**63 - 1})
    queue.push("a")
    assert drain(queue) == ["a"]


def test_a_queue_that_was_refused_leaves_nothing_to_look_after(make_broker: Make) -> None:
    make_broker().queue("q", capacity=5)
    broker = make_broker()
    for _ in range(3):
        with pytest.raises(ValueError, match="declared already"):
            broker.queue("q", capacity=6)
    store = broker._store
    assert isinstance(store, SqliteStore)
    assert store._poller.wait_lists == []


def test_the_push_of_one_broker_wakes_the_pull_of_another(make_broker: Make) -> None:
    here, there = (_queue(make_broker()) for _ in range(2))
    pull = Call(there.pull, None)
    assert pull.blocks()
    id = here.push("hello")
    assert pull.result().message.id == id


def test_the_ack_of_one_broker_makes_room_for_the_push_of_another(make_broker: Make) -> None:
    here, there = (_queue(make_broker(), capacity=1) for _ in range(2))
    here.push("first")
    push = Call(there.push, "second")
    assert push.blocks()
    here.pull(timeout=0).ack()
    push.result()
    assert drain(here) == ["second"]


def test_a_busy_file_is_waited_for(path: Path, make_broker: Make) -> None:
    queue = _queue(make_broker())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        push = Call(queue.push, "patient")
        assert push.blocks()
        other.execute("ROLLBACK")
        push.result()
    assert drain(queue) == ["patient"]


def test_a_busy_file_is_waited_for_whatever_the_timeout(path: Path, make_broker: Make) -> None:
    """The timeout is for a message, and whether one is ready is not known before the file is free."""
    queue = _queue(make_broker())
    queue.push("ready")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        pull = Call(queue.pull, 0)
        assert pull.blocks()
        other.execute("ROLLBACK")
        assert pull.result().message.text == "ready"


def test_a_file_that_stays_busy_is_an_error_that_says_so(
    path: Path, make_broker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = _queue(make_broker())
    monkeypatch.setattr(sqlite_connection, "_LOCK_TIMEOUT", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process has kept the write lock"):
            queue.push("in vain")
        other.execute("ROLLBACK")
    assert counts(queue) == {}


def test_a_forked_process_needs_a_broker_of_its_own(make_broker: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = _queue(make_broker())
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        with pytest.raises(StoreError, match="opened before a fork"):
            queue.push(b"")


# Shared commits


@pytest.fixture
def file(path: Path) -> Iterator[SqliteFile]:
    file = SqliteFile(str(path), "normal")
    file.run(lambda: file.execute("CREATE TABLE done (thread)") and None)
    yield file
    file.close()


def _together(file: SqliteFile, *works: Callable[[], Any]) -> tuple[list[Call], list[str]]:
    """Run `works` in threads that all wait for one transaction to end; return the calls, and what SQLite was told."""
    held, go = threading.Event(), threading.Event()
    first = Call(file.run, lambda: held.set() or go.wait())
    held.wait()
    calls = [Call(file.run, work) for work in works]
    assert all(call.blocks() for call in calls)
    statements: list[str] = []
    file._connection._connection.set_trace_callback(statements.append)
    go.set()
    first.result()
    for call in calls:
        call._thread.join()
    return calls, statements


def _waiting(file: SqliteFile, begin: str, work: Callable[[], Any]) -> _Job[Any]:
    """A job whose thread waits to be woken."""
    job = _Job(begin, work)
    file._jobs.append(job)
    return job


def test_threads_that_wait_share_one_commit(file: SqliteFile) -> None:
    def write(thread: int) -> int:
        file.execute("INSERT INTO done VALUES (?)", (thread,))
        return thread

    calls, statements = _together(file, *(lambda n=n: write(n) for n in range(10)))  # type: ignore[misc]
    assert [call.result() for call in calls] == list(range(10))
    assert statements.count("COMMIT") == 1 + 1  # that of the transaction that they waited for, and their own


def test_work_that_fails_fails_alone(file: SqliteFile) -> None:
    def write() -> None:
        file.execute("INSERT INTO done VALUES (1)")

    def spoil() -> None:
        file.execute("INSERT INTO done VALUES (2)")
        file.execute("INSERT INTO nowhere VALUES (2)")

    def stumble() -> None:
        file.execute("INSERT INTO done VALUES (3)")
        raise ZeroDivisionError

    calls, _ = _together(file, write, spoil, stumble, write)
    calls[0].result()
    calls[3].result()
    with pytest.raises(StoreError, match="no such table: nowhere"):
        calls[1].result()
    with pytest.raises(ZeroDivisionError):
        calls[2].result()
    assert file.read(lambda: file.execute("SELECT thread FROM done").fetchall()) == [(1,), (1,)]


def test_an_interrupt_ends_the_work_of_its_own_thread_only(file: SqliteFile) -> None:
    def interrupt() -> None:
        file.execute("INSERT INTO done VALUES (2)")
        raise KeyboardInterrupt

    other = _waiting(file, _WRITE, lambda: file.execute("INSERT INTO done VALUES (1)") and None)
    with pytest.raises(KeyboardInterrupt):
        file.run(interrupt)
    assert not other.done
    file.run(lambda: None)
    assert other.done
    assert file.read(lambda: file.execute("SELECT thread FROM done").fetchall()) == [(1,)]


SETTLEMENTS: dict[str, tuple[Callable[[Queue, Delivery], None], dict[str, int]]] = {
    "ack": (lambda queue, delivery: delivery.ack(), {"acked": 1}),
    "ack_many": (lambda queue, delivery: queue.ack_many([delivery]), {"acked": 1}),
    "nack": (lambda queue, delivery: delivery.nack("bad"), {"ready": 1, "retried": 1}),
    "release": (lambda queue, delivery: delivery.release(), {"ready": 1}),
    "reject": (lambda queue, delivery: delivery.reject("bad"), {"dead": 1}),
    "extend": (lambda queue, delivery: delivery.extend(90.0), {"leased": 1}),
}


@pytest.mark.parametrize("settle", SETTLEMENTS)
def test_a_lease_is_settled_in_the_commit_that_extends_it(make_broker: Make, settle: str) -> None:
    """As when the heartbeat and the handler of a pool meet while the file is busy."""
    queue = _queue(make_broker())
    queue.push("work")
    delivery = queue.pull(0)
    store: Any = queue.stored
    extend = _waiting(store._file, _WRITE, partial(store._transitions.extend, delivery, 60.0))
    action, expected = SETTLEMENTS[settle]
    action(queue, delivery)
    assert (extend.done, extend.error) == (True, None)
    assert counts(queue) == {**expected, "accepted": 1}


def test_a_lease_that_was_extended_in_vain_is_where_it_was(make_broker: Make, clock: ManualClock) -> None:
    queue = _queue(make_broker(), lease=30.0)
    queue.push("work")
    delivery = queue.pull(0)
    store: Any = queue.stored

    def extend_and_fail() -> None:
        store._transitions.extend(delivery, 60.0)
        store._transitions.extend(delivery, 90.0)
        raise ZeroDivisionError

    other = _waiting(store._file, _WRITE, partial(store._transitions.extend, delivery, 40.0))
    with pytest.raises(ZeroDivisionError):
        store._file.run(extend_and_fail)
    assert (other.done, other.error, delivery.deadline) == (True, None, 1040.0)
    clock.advance(39.0)
    delivery.ack()


def test_an_interrupt_while_work_is_undone_leaves_that_to_the_next(make_broker: Make) -> None:
    queue = _queue(make_broker())
    queue.push_many(["kept", "leased"])
    delivery, store = queue.pull(0), queue.stored
    assert isinstance(store, SqliteQueue)
    interrupts = iter([KeyboardInterrupt])

    def undo_at_the_second_time(undo: Callable[[], object]) -> None:
        for interrupt in interrupts:
            raise interrupt
        undo()

    def extend_and_fail() -> None:
        store._transitions.extend(delivery, 60.0)
        store._transitions.enter([Message("id", b"", 0.0)], 0.0, True)
        store._file.on_rollback.append(partial(undo_at_the_second_time, store._file.on_rollback.pop()))
        raise ZeroDivisionError

    with pytest.raises(KeyboardInterrupt):
        store._file.run(extend_and_fail)
    delivery.ack()
    assert counts(queue) == {"ready": 1, "acked": 1, "accepted": 2}


def test_work_is_done_even_if_nobody_wakes_its_thread(file: SqliteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after an interrupt between the end of a transaction and the wake-up."""
    monkeypatch.setattr(SqliteFile, "_wake_next_leader", lambda self: None)
    calls, _ = _together(file, lambda: 1, lambda: 2)
    assert [call.result() for call in calls] == [1, 2]


def test_an_interrupt_hands_the_turn_on(file: SqliteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightbroker.stores.sqlite.file._RECHECK", 60.0)
    held, go = threading.Event(), threading.Event()

    def interrupt() -> None:
        held.set()
        go.wait()
        raise KeyboardInterrupt

    first = Call(file.run, interrupt)
    held.wait()
    second = Call(file.run, lambda: 2)
    assert second.blocks()
    go.set()
    with pytest.raises(KeyboardInterrupt):
        first.result()
    assert second.result() == 2


def test_a_reader_hands_the_turn_on(file: SqliteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightbroker.stores.sqlite.file._RECHECK", 60.0)
    held, go = threading.Event(), threading.Event()
    reader = Call(file.read, lambda: held.set() or go.wait())
    held.wait()
    writer = Call(file.run, lambda: 1)
    assert writer.blocks()
    go.set()
    assert reader.result()
    assert writer.result() == 1


def test_a_thread_that_reads_does_what_other_threads_wait_to_write(file: SqliteFile) -> None:
    """Otherwise a thread that reads without a pause would keep the lock from threads that write."""
    writer = _waiting(file, _WRITE, lambda: file.execute("INSERT INTO done VALUES (1)") and None)
    file.read(lambda: None)
    assert writer.done
    assert file.read(lambda: file.execute("SELECT thread FROM done").fetchall()) == [(1,)]


def test_a_thread_that_writes_lets_other_threads_read_what_is_committed(file: SqliteFile) -> None:
    reader = _waiting(file, _READ, lambda: file.execute("SELECT thread FROM done").fetchall())
    file.run(lambda: file.execute("INSERT INTO done VALUES (1)") and None)
    assert reader.done
    assert reader.result == []


def test_a_busy_file_is_waited_for_once_by_all_threads_that_wait(
    path: Path, file: SqliteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[None] = []
    connection = file._connection
    wait = connection.retry_while_locked
    monkeypatch.setattr(sqlite_connection, "_LOCK_TIMEOUT", 0.05)
    monkeypatch.setattr(connection, "retry_while_locked", lambda step: rounds.append(None) or wait(step))
    others = [_waiting(file, _WRITE, lambda: None) for _ in range(3)]
    with closing(sqlite3.connect(path, isolation_level=None)) as busy:
        busy.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process has kept the write lock"):
            file.run(lambda: None)
    assert len(rounds) == 1
    assert all(other.done and isinstance(other.error, StoreError) for other in others)


def test_threads_that_go_on_writing_keep_sharing_commits(file: SqliteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a thread writes next joins the next commit, although another thread has only just committed its last."""
    threads, each, commits = 16, 20, 0
    execute, gate = file.execute, threading.Barrier(threads)

    def slow_disk(statement: str, *parameters: Any) -> Any:
        nonlocal commits
        if statement == "COMMIT":
            commits += 1
            time.sleep(0.005)
        return execute(statement, *parameters)

    def write() -> None:
        gate.wait()
        for _ in range(each):
            file.run(lambda: file.execute("INSERT INTO done VALUES (1)") and None)

    monkeypatch.setattr(file, "execute", slow_disk)
    running = [Call(write) for _ in range(threads)]
    for call in running:
        call.result()
    assert file.read(lambda: file.execute("SELECT count(*) FROM done").fetchone()) == (threads * each,)
    assert commits <= threads * each / 4
