"""The patches fit the code, and a few of them are tried; `make torture` tries them all."""

import pytest

from tests.adversary.mutations import mutation
from tests.adversary.mutations.patching import Patch


def test_every_patch_fits_the_code_and_there_are_many() -> None:
    misfits = mutation.misfits()
    assert not misfits, "\n".join(misfits)
    assert len(mutation.PATCHES) >= 40
    assert len({patch.what for patch in mutation.PATCHES}) == len(mutation.PATCHES)


def test_every_survivor_is_a_patch() -> None:
    assert mutation.SURVIVORS.keys() <= {patch.what for patch in mutation.PATCHES}


def test_patches_that_do_not_apply_are_named_before_any_test_runs() -> None:
    wrong = [
        Patch("push forgets", "MemoryQueue.push", "self.forget()", ""),
        Patch("pop does nothing", "MemoryQueue.pop", "x", "y"),
    ]
    with pytest.raises(LookupError, match=r"^push forgets: .* not found .*\npop does nothing: no function"):
        mutation.run(wrong, suite=("tests/no_such_file.py",))


def test_a_sample_of_the_patches_is_caught() -> None:
    sample = [patch for patch in mutation.PATCHES if patch.what in ("push does not count", "push takes no permit")]
    assert len(sample) == 2
    report = mutation.run(sample, suite=("tests/contract/test_overflow.py",))
    assert report["caught"] == report["patches"], report["survivors"]
