"""A study: one experiment of the bench with its runs, its bars and its tables."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console

from lightbroker.lab.measure.results import Bar, Bench, Config, Run
from lightbroker.lab.peers.base import Peer
from lightbroker.lab.peers.catalogue import Unavailable, load


@dataclass(frozen=True)
class Study:
    """What the bench measures and how it reports.

    groups: what is compared runs side by side; only: the field of `Config` whose values `--only` takes; method: how it
    is measured, in words; kinds: the systems by name, with their promises; skipped: those that are missing, with the
    reason; judge: the bars, given the runs and a seed.
    """

    scale: str
    repetitions: int
    groups: Sequence[Sequence[Config]]
    only: str
    method: Sequence[str]
    kinds: Mapping[str, type[Peer]]
    judge: Callable[[Sequence[Run], int], list[Bar]]
    show: Callable[[Console, Bench], None]
    skipped: Mapping[str, str] = field(default_factory=dict)

    @property
    def choices(self) -> list[object]:
        """What `--only` may name."""
        return list(dict.fromkeys(getattr(config, self.only) for group in self.groups for config in group))

    def chosen(self, only: Sequence[object]) -> list[list[Config]]:
        """The groups reduced to what `--only` names."""
        found = [[config for config in group if getattr(config, self.only) in only] for group in self.groups]
        return [group for group in found if group]


def available(names: Iterable[str]) -> tuple[dict[str, type[Peer]], dict[str, str]]:
    """Those of the peers that can be measured here, and why the others cannot."""
    kinds, skipped = {}, {}
    for name in names:
        try:
            kinds[name] = load(name)
        except Unavailable as error:
            skipped[name] = str(error)
    return kinds, skipped
