"""How Hypothesis runs a machine that drives the broker beside a model: the same examples each time."""

from collections import Counter
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


class CountingMachine(RuleBasedStateMachine):
    seen: ClassVar[Counter[str]]  #: what was called how often, and how it ended


def drive(machine: type[CountingMachine], examples: int, steps: int, shrink: bool = True) -> dict[str, Any]:
    """Run so many examples of at most so many steps; how often each rule ended how.

    Raises the error of the first difference; with `shrink`, of the smallest example that Hypothesis can make of it.
    """
    machine.seen = Counter()
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=True,
            print_blob=False,
            report_multiple_bugs=False,
            phases=list(Phase) if shrink else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    return {
        "examples": examples,
        "steps_at_most": steps,
        "calls": sum(machine.seen.values()),
        "outcomes": dict(sorted(machine.seen.items())),
    }
