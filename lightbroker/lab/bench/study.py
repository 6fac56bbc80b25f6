"""A study: one comparison of `lightbroker bench`, with its runs, its bars and its tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console

from lightbroker.lab.measure.results import Bar, Bench, Config, Run
from lightbroker.lab.peers.base import Peer


@dataclass(frozen=True)
class Study:
    """What `lightbroker bench` measures for one comparison, and how it reports the results.

    Attributes:
        scale: `full`, which is what is committed, or `quick`.
        repetitions: How many blocks; each block holds every configuration once.
        groups: Configurations that are compared with each other form a group, and a group runs side by side.
        only: The field of `Config` whose values the option `--only` takes.
        method: How it is measured, a paragraph each.
        kinds: The systems by name; their classes hold what they promise.
        judge: Returns the bars, given the runs and the seed of the bootstrap.
        show: Prints the tables.
        skipped: The systems that are missing on this machine, with the reason.
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
        """The names that `--only` accepts."""
        return list(dict.fromkeys(getattr(config, self.only) for group in self.groups for config in group))

    def chosen(self, only: Sequence[object]) -> list[list[Config]]:
        """Return the groups, reduced to the configurations that `--only` names."""
        found = [[config for config in group if getattr(config, self.only) in only] for group in self.groups]
        return [group for group in found if group]
