"""The recording that comes with the package holds what it promises."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from itertools import pairwise
from pathlib import Path

import pytest

import lightbroker
from lightbroker import Broker
from lightbroker.watcher import BlockMessage, ChainWatcher, Recording
from lightbroker.watcher.recording import PACKAGED
from tests.watcher.toychain import Ledger, drain


@pytest.fixture(scope="module")
def recording() -> Recording:
    """Return the packaged recording."""
    return Recording.load()


@pytest.fixture
def broker() -> Iterator[Broker]:
    """Yield a broker and close it."""
    broker = Broker()
    yield broker
    broker.close(drain=False)


def test_it_says_that_it_is_a_local_chain(recording: Recording) -> None:
    assert recording.info["chain_id"] == 31337
    assert "local anvil chain (id 31337), not mainnet" in recording.info["description"]
    assert recording.info["node"].startswith("anvil/")
    assert {"captured_at", "time_scale", "license"} <= recording.info.keys()


def test_it_is_small_and_holds_about_500_heads(recording: Recording) -> None:
    data = resources.files("lightbroker.watcher").joinpath("data").joinpath(PACKAGED).read_bytes()
    assert len(data) < 200_000
    # Bytes 3 to 7 of a gzip file are its flags (no file name) and its time.
    assert data[3:8] == bytes(5)
    assert 450 <= len(recording) <= 550


def test_an_outage_ends_in_a_burst_of_heads(recording: Recording) -> None:
    offsets = [offset for offset, _ in recording]
    quiet, ends = max((later - earlier, later) for earlier, later in pairwise(offsets))
    assert quiet > 400
    assert sum(ends <= offset < ends + 12 for offset in offsets) >= 40


def test_blocks_hold_varying_numbers_of_transactions(recording: Recording) -> None:
    assert len({len(head["transactions"]) for _, head in recording}) >= 8


def test_a_watcher_ends_at_the_last_head_with_every_block_of_its_chain_once(
    recording: Recording, broker: Broker
) -> None:
    watcher = ChainWatcher(broker, recording.block)
    ledger = Ledger()
    depths: list[int] = []
    for head in recording.replay(speed=math.inf):
        before = watcher.stats
        watcher.see(head)
        for body in drain(broker):
            ledger.apply(body)
        if watcher.stats.reorganisations > before.reorganisations:
            depths.append(watcher.stats.removed - before.removed)
    stats = watcher.stats
    assert stats.duplicates >= 5
    assert stats.filled >= 5
    assert {1, 2, 3, 5} <= set(depths)
    assert stats.added == stats.heads - stats.duplicates + stats.filled
    assert ledger.chain == canonical(recording)


def test_two_heads_of_the_same_height_come_in_a_row(recording: Recording) -> None:
    heads = [BlockMessage.from_header(head) for _, head in recording]
    rivals = [(one, two) for one, two in pairwise(heads) if one.number == two.number]
    assert any(one.hash != two.hash for one, two in rivals)


def test_importing_the_watcher_needs_the_standard_library_alone() -> None:
    program = """
import sys
for name in ("Crypto", "websockets"):
    sys.modules[name] = None
import lightbroker.watcher
print(len(lightbroker.watcher.Recording.load()))
for name in ("verify", "rpc"):
    try:
        __import__(f"lightbroker.watcher.{name}")
    except lightbroker.watcher.MissingLibrary as error:
        print(error)
"""
    root = Path(lightbroker.__file__).parents[1]
    run = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    heads, verify, rpc = run.stdout.splitlines()
    assert int(heads) == len(Recording.load())
    assert "pip install 'lightbroker[chain]'" in verify
    assert "pip install 'lightbroker[live]'" in rpc


def canonical(recording: Recording) -> list[str]:
    """Return the hashes from the first head to the last, by parent hashes."""
    heads = [head for _, head in recording]
    first, block = heads[0], heads[-1]
    hashes = [block["hash"]]
    while hashes[-1] != first["hash"]:
        parent = recording.block(block["parentHash"])
        assert parent is not None
        block = parent
        hashes.append(block["hash"])
    return hashes[::-1]
