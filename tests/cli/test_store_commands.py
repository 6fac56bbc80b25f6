"""`stats` and `dlq` over every store that survives its process: they show what is there and make nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lightbroker import Broker, Retry
from lightbroker.cli.main import main
from lightbroker.core.registry import open_store
from lightbroker.core.store import Excerpt
from tests.contract.stores import STORES, fresh_url


@pytest.fixture(params=[name for name, store in STORES.items() if store.durable])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with fresh_url(STORES[request.param], tmp_path) as url:
        yield url


@pytest.fixture
def ids(url: str) -> list[str]:
    """The ids of three dead letters in queue "q", which holds one message more and has room for two."""
    with Broker(url) as broker:
        queue = broker.queue("q", capacity=4, lease=1.5, retry=Retry(max_attempts=1))
        for body in ("first \x1b[31mred", b"\xff\x00", {"third": 3}):
            queue.push(body, headers={"from": "here"})
            queue.pull().nack(ValueError("bad\nblock"))
        queue.push("waiting")
        return [letter.message.id for letter in queue.dead_letters]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(words) == 0
    return capsys.readouterr().out


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    return json.loads(run(capsys, *words, "--json"))


def test_stats_are_a_table_for_people(url: str, ids: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    headings, numbers = run(capsys, "stats", "--store", url).splitlines()
    assert " ".join(headings.split()) == (
        "queue ready delayed leased dead accepted acked dropped expired purged retried capacity"
    )
    assert " ".join(numbers.split()) == "q 1 0 0 3 4 0 0 0 0 0 4"


def test_stats_are_json_for_programs(url: str, ids: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    [(name, numbers)] = ask(capsys, "stats", "--store", url, "q")["queues"].items()
    assert (name, numbers["dead"], numbers["accepted"], numbers["capacity"]) == ("q", 3, 4, 4)


def test_a_store_without_queues_says_so(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    Broker(url).close()
    assert run(capsys, "stats", "--store", url) == "the store holds no queue\n"
    assert ask(capsys, "stats", "--store", url) == {"queues": {}}


def test_letters_are_listed_oldest_first(url: str, ids: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    _, *lines = run(capsys, "dlq", "list", "--store", url, "q").splitlines()
    assert [line.split()[0] for line in lines] == ids
    assert lines[0].split()[1:3] == ["1", "max_attempts"]
    assert lines[0].endswith("ValueError: bad block")
    assert run(capsys, "dlq", "list", "--store", url, "q", "--limit", "1").endswith("… and 2 more\n")
    assert [letter["id"] for letter in ask(capsys, "dlq", "list", "--store", url, "q", "--limit", "2")] == ids[:2]


def test_a_list_reads_no_more_letters_and_bodies_than_it_shows(
    url: str, ids: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[list[int]] = []

    def spy(kind: type[Any]) -> None:
        whole = kind.oldest_dead

        def oldest_dead(self: Any, most: int, shown: int) -> list[Excerpt]:
            found: list[Excerpt] = whole(self, most, shown)
            read.append([len(excerpt.letter.message.body) for excerpt in found])
            return found

        monkeypatch.setattr(kind, "oldest_dead", oldest_dead)
        monkeypatch.delattr(kind, "dead_letters")

    with Broker(url) as broker:
        spy(type(broker.queue("q", capacity=4).stored))
    run(capsys, "dlq", "list", "--store", url, "q", "--limit", "2")
    ask(capsys, "dlq", "list", "--store", url, "q", "--limit", "1")
    assert read == [[0, 0], [len("first \x1b[31mred")]]


def test_a_letter_is_shown_whole_and_obeyed_by_no_terminal(
    url: str, ids: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = run(capsys, "dlq", "show", "--store", url, "q", ids[0])
    assert "first \\x1b[31mred" in shown
    assert "\x1b" not in shown
    assert "{'from': 'here'}" in shown
    assert shown.rstrip().endswith("ValueError: bad\nblock")
    assert "in base64:\n/wA=" in run(capsys, "dlq", "show", "--store", url, "q", ids[1])
    letter = ask(capsys, "dlq", "show", "--store", url, "q", ids[2])
    assert json.loads(letter["body"]["text"]) == {"third": 3}
    assert (letter["reason"], letter["attempts"], letter["headers"]) == ("max_attempts", 1, {"from": "here"})


def test_a_letter_that_is_not_there_ends_with_1(url: str, ids: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dlq", "show", "--store", url, "q", "other"]) == 1
    assert capsys.readouterr().err == "lightbroker: queue 'q' has no dead letter 'other'\n"


def test_letters_are_redriven_by_number_by_name_and_until_the_queue_is_full(
    url: str, ids: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    named = ask(capsys, "dlq", "redrive", "--store", url, "q", "--id", ids[2], "--id", "other")
    assert named == {"redriven": 1, "dead": 2}
    assert run(capsys, "dlq", "redrive", "--store", url, "q", "--limit", "1") == "1 redriven, 1 left\n"
    assert run(capsys, "dlq", "redrive", "--store", url, "q") == "1 redriven, 0 left\n"
    with Broker(url) as broker:
        queue = broker.queue("q", capacity=4)
        bodies = [queue.pull(0).message.body for _ in range(4)]
        assert bodies == [b"waiting", b'{"third": 3}', b"first \x1b[31mred", b"\xff\x00"]


def test_letters_are_purged(url: str, ids: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(capsys, "dlq", "purge", "--store", url, "q") == {"purged": 3}
    assert run(capsys, "dlq", "purge", "--store", url, "q") == "0 purged\n"
    assert run(capsys, "dlq", "list", "--store", url, "q") == "no dead letters\n"


@pytest.mark.parametrize("words", [["stats"], ["dlq", "list"], ["dlq", "redrive"], ["dlq", "purge"]])
def test_a_queue_that_is_not_there_is_not_made(
    url: str, ids: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--store", url, "typo"]) == 2
    assert capsys.readouterr().err == ("lightbroker: the store holds no queue 'typo'; the queues that it holds: q\n")
    store = open_store(url)
    assert list(store.declared()) == ["q"]
    store.close()


def test_looking_changes_nothing(url: str, ids: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    store = open_store(url)
    before = store.declared()
    store.close()
    for words in (["stats"], ["dlq", "list"], ["dlq", "show"]):
        run(capsys, *words, "--store", url, "q", *([ids[0]] if words[1:] == ["show"] else []))
    store = open_store(url)
    assert store.declared() == before
    assert before["q"].lease == 1.5
    store.close()


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", "--store", f"sqlite:///{tmp_path / 'typo.db'}"]) == 2
    assert "typo.db does not exist, and was not made" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["nats://x", "sqlite://x", "redis://user:secret@", "memory://x"])
def test_a_store_that_makes_no_sense_is_one_line(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", "--store", url]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("lightbroker: store: ")
    assert "secret" not in line
