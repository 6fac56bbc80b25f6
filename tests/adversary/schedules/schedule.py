"""A deterministic scheduler: it tries every order of threads that few preemptions can make.

Stateless model checking with a preemption bound, after Musuvathi and Qadeer, "Iterative Context Bounding for
Systematic Testing of Multithreaded Programs" (PLDI 2007): most races need one or two badly placed switches, so all
schedules with up to `bound` of them are run, each once, by depth-first search. See `schedule_run` for what a switch is.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any

from tests.adversary.schedules.schedule_run import Run
from tests.adversary.schedules.schedule_twins import cooperative


@dataclass(frozen=True)
class Race:
    """Threads that meet over the state that `setup` makes, and what must be true when they have finished.

    `setup` is given the class of the queue; `check` is given the state and what each thread returned. In a `patient`
    race no time-out may be needed: who waits for what the others do must be woken.
    """

    name: str
    setup: Callable[[type[Any]], Any]
    threads: Sequence[Callable[[Any], object]]
    check: Callable[[Any, list[Any]], None]
    patient: bool = False


@dataclass
class Report:
    """What an exploration found. `complete`: every schedule within the bound was run."""

    race: str
    bound: int
    schedules: int = 0
    points: int = 0  #: the most places to switch that one schedule had
    complete: bool = True
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "outcomes": dict(self.outcomes.most_common()), "failures": self.failures}


def _told(choices: list[int]) -> str:
    """A schedule in short: "0x12 1x3" is thread 0 for twelve decisions, then thread 1 for three."""
    return " ".join(f"{thread}x{len(list(run))}" for thread, run in groupby(choices))


def replay(race: Race, queue: type[Any], prefix: Sequence[int]) -> tuple[Run, str, str]:
    """Run `race` under one schedule, inside `cooperative`; what its threads returned, and what went wrong, as texts."""
    state = race.setup(queue)
    run = Run([partial(work, state) for work in race.threads], prefix, race.patient)
    try:
        results = run.execute()
        assert not (race.patient and run.passed), f"nobody woke who waits: {results}"
        race.check(state, results)
    except Exception as error:  # not the time-out of pytest, which would count as a bug that was found
        return run, "", f"{type(error).__name__}: {error} [schedule {_told(run.choices)}]"
    return run, ", ".join(map(str, results)), ""


def explore(race: Race, queue: type[Any], bound: int, most: int | None = None, **twins: bool) -> Report:
    """Run `race` on the store's class `queue` under schedules with up to `bound` preemptions, until one fails.

    most: how many schedules at most, then drawn at random (seeded) from those within the bound; twins: arguments for
    `cooperative`.
    """
    report = Report(race.name, bound)
    drawn = random.Random(race.name)
    frontier: list[tuple[list[int], int]] = [([], 0)]
    with cooperative(**twins):
        while frontier and not report.failures:
            if most is not None and report.schedules == most:
                report.complete = False
                break
            if most is not None:
                pick = drawn.randrange(len(frontier))
                frontier[pick], frontier[-1] = frontier[-1], frontier[pick]
            prefix, spent = frontier.pop()
            run, outcome, failure = replay(race, queue, prefix)
            if failure:
                report.failures.append(failure)
            else:
                report.outcomes[outcome] += 1
            report.schedules += 1
            report.points = max(report.points, len(run.choices))
            for at in range(len(prefix), len(run.choices)):
                on, able = run.options[at]
                for other in able:
                    if other != run.choices[at] and spent + (on is not None) <= bound:
                        frontier.append(([*run.choices[:at], other], spent + (on is not None)))
    return report
