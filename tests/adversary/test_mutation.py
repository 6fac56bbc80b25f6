"""The patches fit the code, and a few of them are tried; `make torture` tries them all."""

from tests.adversary import mutation


def test_every_patch_fits_the_code_and_there_are_many() -> None:
    assert mutation.misfits() == []
    assert len(mutation.PATCHES) >= 40
    assert len({patch.what for patch in mutation.PATCHES}) == len(mutation.PATCHES)


def test_a_sample_of_the_patches_is_caught() -> None:
    sample = [patch for patch in mutation.PATCHES if patch.what in ("push does not count", "push takes no permit")]
    assert len(sample) == 2
    report = mutation.run(sample, suite=("tests/contract", "tests/core/test_queue.py"))
    assert report["caught"] == report["patches"], report["survivors"]
