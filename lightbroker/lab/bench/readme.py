"""`python -m lightbroker.lab.bench.readme`: renews the tables in the READMEs from the committed results.

Each table stands between `<!-- measured: NAME -->` and `<!-- end -->`. A test compares it with the results.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import takewhile
from pathlib import Path
from statistics import median
from typing import Any

from lightbroker.lab.bench.bars import Select
from lightbroker.lab.bench.report import number
from lightbroker.lab.bench.studies.storage import cycles_per_second
from lightbroker.lab.bench.systems import LIGHT, QUEUE
from lightbroker.lab.measure.results import Bench, Results

NAMES = ("README.md", "README.zh-TW.md")  #: the files that have such tables
_PROMISED_RATE, _PROMISED_P99_US, _PROMISED_CONSUMERS = 10_000, 1_000.0, 100
_BLOCK = re.compile(r"(<!-- measured: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def headline(data: Path) -> str:
    """Return the table of the three promises and of what was measured for each."""
    found = Results.read(data / "consumers.json")
    select = Select(found.runs, found.seed)
    many, peer_many = (select.values(system=system, consumers=_PROMISED_CONSUMERS) for system in (LIGHT, QUEUE))
    rate = median(many)
    share, peer_share = (_share_of_one(select, system) for system in (LIGHT, QUEUE))
    stick = Results.read(data / "hockey-stick.json")
    tails = {
        offered: Select(stick.runs, stick.seed).values(scenario="open", system=LIGHT, rate=offered)
        for offered in sorted({run.config.rate for run in stick.runs if run.config.rate})
    }
    p99 = tails[_PROMISED_RATE]
    kept_at = list(takewhile(lambda offered: median(tails[offered]) < _PROMISED_P99_US, tails))
    rows = [
        (
            f"{_PROMISED_RATE:,} messages/s",
            f"{rate:,.0f}/s ({min(many):,.0f} to {max(many):,.0f}): {rate / _PROMISED_RATE:.0f} times as many",
        ),
        (
            "P99 under 1 ms",
            f"{_ms(median(p99))} ({_ms(min(p99))} to {_ms(max(p99))}) at {_PROMISED_RATE:,}/s from the planned time, "
            f"{len([each for each in p99 if each < _PROMISED_P99_US])} of {len(p99)} runs under 1 ms; "
            f"the median run keeps it up to {max(kept_at):,.0f}/s",
        ),
        (
            f"{_PROMISED_CONSUMERS} consumers",
            f"{share} of the throughput of one consumer; `{QUEUE}` keeps {peer_share} of its own, and passes "
            f"{median(peer_many):,.0f}/s",
        ),
    ]
    return _table(("promised", "measured"), rows) + _source(found.machine, "consumers.json", "hockey-stick.json")


def bars(file: str, data: Path) -> str:
    """Return the table of the bars of a study, with what was measured and the verdict.

    Args:
        file: The name of the results of the study.
        data: The folder of the results.
    """
    found = Bench.read(data / file)
    rows = [
        (
            bar.claim,
            f"{bar.sense} {number(bar.limit)} {bar.unit}".removesuffix(" ratio"),
            "–" if bar.measured is None else f"{number(bar.measured)} ({number(bar.low)}–{number(bar.high)})",
            f"**{bar.verdict}**" if bar.met is False else bar.verdict,
        )
        for bar in found.bars
    ]
    return _table(("what", "bar", "measured", "verdict"), rows) + _source(found.machine, file)


def stores(data: Path) -> str:
    """Return the table of full cycles per second of every store and its peers."""
    found = Bench.read(data / "storage.json")
    select = Select(found.runs, found.seed)
    rows = []
    for system in found.promises:
        values = cycles_per_second(select, system)
        rows.append((system, *(f"{median(each):,.0f}" if each else "–" for each in values)))
    rows.sort(key=lambda row: -int(row[1].replace(",", "").replace("–", "0")))
    headings = ("cycles a second", "one at a time", "batches of 100", "four processes", "four, batches")
    return _table(headings, rows) + _source(found.machine, "storage.json")


def watching(data: Path) -> str:
    """Return the table of what watching costs: the findings of `python -m lightbroker.lab.scenarios.scrape`."""
    found = json.loads((data / "metrics.json").read_text(encoding="utf-8"))
    rows = [
        (each["claim"], f"{number(each['median'])} ({number(each['low'])}–{number(each['high'])})", each["unit"])
        for each in found["findings"]
    ]
    return _table(("what", "measured", "unit"), rows) + _source(found["machine"], "metrics.json")


BLOCKS: Mapping[str, Callable[[Path], str]] = {
    "headline": headline,
    "bench": partial(bars, "bench.json"),
    "stores": stores,
    "storage": partial(bars, "storage.json"),
    "storage-epyc": partial(bars, "storage-epyc.json"),
    "coroutines": partial(bars, "async.json"),
    "watching": watching,
}


def renewed(text: str, data: Path) -> str:
    """Return a text in which each table is the one that the results give.

    Args:
        text: With `<!-- measured: NAME -->` and `<!-- end -->` around each table.
        data: The folder of the results.

    Raises:
        ValueError: The text names a table that does not exist.
    """

    def fill(match: re.Match[str]) -> str:
        if match["name"] not in BLOCKS:
            raise ValueError(f"no table is called {match['name']!r}; there are {', '.join(BLOCKS)}")
        return match[1] + BLOCKS[match["name"]](data) + match[3]

    return _BLOCK.sub(fill, text)


def _share_of_one(select: Select, system: str) -> str:
    """Return the throughput of 100 consumers as a share of that of one, paired within each block, with its interval."""
    found = select.ratio({"consumers": _PROMISED_CONSUMERS}, {"consumers": 1}, system=system)
    return "–" if found is None else f"{found.median:.2f} ({found.low:.2f} to {found.high:.2f})"


def _ms(microseconds: float) -> str:
    return f"{microseconds / 1e3:.2f} ms"


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines: list[tuple[str, ...]] = [headings, ("---",) * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _source(machine: Mapping[str, Any], *files: str) -> str:
    names = " and ".join(f"[`figures/data/{name}`](figures/data/{name})" for name in files)
    day = str(machine["date"])[:10]
    return f"\nFrom {names}: CPython {machine['python']}, {machine['cores_usable']} cores of {machine['cpu']}, {day}.\n"


def main() -> int:
    """Renew the tables of the READMEs in the current folder."""
    for readme in map(Path, NAMES):
        readme.write_text(renewed(readme.read_text(encoding="utf-8"), Path("figures/data")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
